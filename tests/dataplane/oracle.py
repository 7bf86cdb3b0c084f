"""What every flow of a cluster has to do, twice: as the rules derive it, and as the interpreter says.

A flow whose verdict is ``unknown`` is not expected to do anything, and nothing is learnt from it.
"""

import json
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

from liqo_connectivity import chains
from liqo_connectivity.engine import Database
from liqo_connectivity.facts import FactBase
from tests.support.clusters import (
    RENDERED,
    VERDICTS,
    base_of,
    facts_with,
    layout,
    program,
    questions,
    solve,
    verdicts,
)
from tests.support.descriptions import Cluster, Traffic
from tests.support.forced_parts import Form, split_program
from tests.support.interpreter import Meaning
from tests.support.manifests import objects


class Derived(NamedTuple):
    """What the rules derive: chains, the verdict on each flow, and the policies whose chains are too large."""

    layout: chains.Layout
    verdicts: tuple[str, ...]
    unfit: frozenset[str]


class Oracle:
    """The decisions on some flows, each there once, and the chains that are to enforce them.

    ``nft`` says that nft enforces, of both families, ``agent`` that an agent on each node does; else Liqo's agents do, by
    chains in parts if there is a form of ``parts``, wherever they can be written so.
    """

    def __init__(
        self, cluster: Cluster, asked: Sequence[Traffic], *, nft: bool, agent: bool = False, parts: Form | None = None
    ) -> None:
        self.cluster = cluster
        self.asked = asked
        self.nft = nft
        self.agent = agent
        self.parts = parts

    @cached_property
    def _base(self) -> FactBase:
        return base_of(objects(self.cluster))

    @cached_property
    def _derived(self) -> Derived:
        database = _database(self.parts)
        database.load(facts_with(self._base, questions(self.asked, nft=self.nft, agent=self.agent)))
        unfit = frozenset(str(row[0]) for row in database.rows("too_large"))
        return Derived(layout(database), tuple(verdicts(database)), unfit)

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        """The transaction that loads the tables under test, as the operator writes them for who enforces."""
        found = self._derived.layout
        if self.agent:
            text = chains.agent_transaction_json(chains.assemble_agent(found))
        elif self.nft:
            text = chains.nft_transaction_json(chains.assemble_nft(found))
        else:
            text = chains.nft_transaction_json(self.parts.assembled(found) if self.parts else chains.assemble(found))
        commands: list[dict[str, Any]] = json.loads(text)["nftables"]
        return commands

    @property
    def divided(self) -> int:
        """How many chains are in parts."""
        found = self._derived.layout
        return len({row[0] for row in found.chain_part} & {row[0] for row in found.base_chain})

    @cached_property
    def verdicts(self) -> dict[Traffic, str]:
        """The derived verdict on each flow."""
        return dict(zip(self.asked, self._derived.verdicts, strict=True))

    @cached_property
    def differing(self) -> list[tuple[Traffic, str]]:
        """The flows on which the interpreter says another thing, and what it says."""
        meaning = Meaning(self.cluster, nft=self.nft, agent=self.agent, unfit=self._derived.unfit)
        second = ((flow, meaning.decide(flow).verdict) for flow in self.asked)
        return [(flow, verdict) for flow, verdict in second if verdict != self.verdicts[flow]]

    def proof(self, flow: Traffic) -> dict[str, list[tuple[object, ...]]]:
        """The derived tuples about one flow, for a person to judge."""
        model = solve(self._base, VERDICTS, questions([flow], nft=self.nft, agent=self.agent))
        return {name: [tuple(row) for row in model.rows(name)] for name in VERDICTS}


@cache
def _database(parts: Form | None) -> Database:
    """One for all policies of a process: its functions are made once, and every load replaces all facts."""
    goals = (*RENDERED, "too_large", "flow_verdict")
    return Database(split_program(parts, *goals) if parts else program(*goals))
