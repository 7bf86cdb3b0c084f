"""From described clusters to what the project makes of them: facts, derived tuples, rendered chains."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from random import Random

from liqo_connectivity import chains
from liqo_connectivity.engine import Model, Program, Row, evaluate
from liqo_connectivity.facts import Decoded, FactBase, ObjectKey, decode_mapping, kind_of, named_keys, with_labels
from liqo_connectivity.facts.base.fact import Fact
from liqo_connectivity.rules.program import load
from liqo_connectivity.rules.relations import RELATION_NAMES, Enforcer, Flow, FlowPort
from tests.support.descriptions import Cluster, Traffic
from tests.support.manifests import Object, objects
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows

VERDICTS = ("flow_verdict", "decided_by", "governs", "peering_verdict", "unknown_because")
RENDERED = tuple(chains.COLUMNS)
NFTABLES, AGENT = Enforcer("nftables"), Enforcer("agent")
Asked = Sequence[Traffic | tuple[str, str, str]]
"""Flows to ask about: with a port, or by source, destination and state."""


@cache
def program(*goals: str) -> Program:
    """The policy program, or the part of it that some relations need."""
    return load().slice(goals) if goals else load()


def facts_of(found: Object) -> tuple[ObjectKey, tuple[Fact, ...]]:
    """The key and facts of one object, which may be malformed."""
    decoded = decoded_of(found)
    return decoded.key, decoded.facts


def decoded_of(found: Object) -> Decoded:
    """What one object asserts, with the labels of which a policy may make facts."""
    kind = kind_of(found["apiVersion"], found["kind"])
    assert kind is not None, found
    return decode_mapping(kind, found)


def base_of(found: Iterable[Object]) -> FactBase:
    base = FactBase()
    read = [decoded_of(one) for one in found]
    keys = named_keys(fact for one in read for fact in one.facts)
    for one in read:
        base.replace(one.key, with_labels(one.facts, one.labels, keys))
    return base


def questions(asked: Asked, *, nft: bool = False, agent: bool = False) -> list[Flow | FlowPort | Enforcer]:
    """The flows as facts, named by their number; ``nft`` says that nft enforces, ``agent`` that an agent on each node does."""
    found: list[Flow | FlowPort | Enforcer] = [AGENT] if agent else [NFTABLES] if nft else []
    for number, flow in enumerate(asked):
        found.append(Flow(str(number), *flow[:3]))
        if isinstance(flow, Traffic) and flow.protocol:
            found.append(FlowPort(str(number), flow.port, flow.protocol))
    return found


def facts_with(base: FactBase, asked: Iterable[Flow | FlowPort | Enforcer]) -> dict[str, list[Row]]:
    """The rows of a base, and the questions."""
    found: dict[str, list[Row]] = {relation: list(held) for relation, held in base.relations()}
    found["flow"] = []
    for row in asked:
        found.setdefault(RELATION_NAMES[type(row)], []).append(row)
    return found


def solve(base: FactBase, goals: Iterable[str], asked: Iterable[Flow | FlowPort | Enforcer] = ()) -> Model:
    return evaluate(program(*goals), facts_with(base, asked))


def verdicts(model: Model) -> list[str]:
    """The verdict on each flow, in the order of the questions."""
    found = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    assert len(found) == len(model.rows("flow_verdict")), "a flow has one verdict"
    return [found[str(number)] for number in range(len(found))]


def layout(model: Model) -> chains.Layout:
    return chains.Layout.from_relations({name: model.rows(name) for name in RENDERED})


def tables(model: Model) -> tuple[chains.Table, ...]:
    """The tables for Liqo's agents."""
    return chains.assemble(layout(model))


def rendered(base: FactBase) -> str:
    """Every format of the chains, one after the other."""
    model = solve(base, RENDERED)
    found = tables(model)
    compact = chains.assemble_nft(layout(model))
    return "".join(
        (
            *(write(found) for write in (chains.firewall_yaml, chains.firewall_json)),
            *(write(compact) for write in (chains.nft_script, chains.nft_transaction_json)),
        )
    )


def rows(model: Model, relations: Iterable[str]) -> Mapping[str, list[Row]]:
    return {name: model.rows(name) for name in relations}


def example(seed: int, count: int = 40) -> tuple[Cluster, list[Traffic]]:
    """The cluster of a seed, and flows to ask about."""
    rng = Random(seed)
    described = cluster(rng)
    return described, flows(rng, described, count)


def shown(described: Cluster) -> str:
    """The objects of a cluster, for the message of a failure."""
    return "\n".join(json.dumps(found) for found in objects(described))
