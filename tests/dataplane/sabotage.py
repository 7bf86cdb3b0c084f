"""Compilers with a mistake, for the tests of what happens when the kernel and ``why`` disagree.

Run as a module in a new user and network namespace, with the name of a mistake, it finds a disagreement, makes it smaller and
prints it; and on which paths in whole federations some mistakes are noticed.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from itertools import count
from random import Random
from typing import Any, Final
from unittest.mock import patch

from tests.dataplane import campaign, cases, nodes, world
from tests.dataplane.federation import Federation, federation
from tests.dataplane.nodes import Node
from tests.dataplane.oracle import Oracle
from tests.dataplane.probing import Prober

TRIALS: Final = 24
FLOWS: Final = 800
"""In so many federations at most, by so many flows each, each mistake has to be noticed on all of its paths."""


class Forgetful(Oracle):
    """The verdicts as they are, and chains that drop nothing."""

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        return [each for each in super().commands if {"drop": None} not in _expressions(each)]


class Stateless(Oracle):
    """The verdicts as they are, and chains that know of no connections."""

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        return [each for each in super().commands if not any(map(_is_state, _expressions(each)))]


class Overreaching(Oracle):
    """The verdicts as they are, and sets of IPv6 that have the addresses of nodes too. By those of IPv4 all tunnels go."""

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        nodes = [address for node in self.cluster.nodes for address in node.addresses if ":" in address]
        for each in super().commands:
            found.append(each)
            body = each.get("add", {}).get("set", {})
            if body.get("type") == "ipv6_addr":
                place = {key: body[key] for key in ("family", "table", "name")}
                found.append({"add": {"element": place | {"elem": nodes}}})
        return found


MISTAKES: Final[Mapping[str, tuple[type[Oracle], str]]] = {
    "drops": (Forgetful, "new"),
    "states": (Stateless, "answer to the server"),
}
"""Compilers, each with the kind of packets whose disagreement is to be made smaller."""


BRIDGES: Final = {"bridge"} if nodes.sees_bridges() else set[str]()
PATHS: Final[Mapping[type[Oracle], AbstractSet[str]]] = {
    Overreaching: {"from a node", "to a node", "node to node"},
    Forgetful: {"ClusterIP", "hairpin", "node port", "from a node", "to a node", "pod", *BRIDGES},
}
"""Compilers, each with the paths on which its mistake has to be noticed."""


def _expressions(command: dict[str, Any]) -> list[Any]:
    found: list[Any] = command.get("add", {}).get("rule", {}).get("expr", [])
    return found


def _is_state(expression: dict[str, Any]) -> bool:
    return "ct" in (expression.get("match") or {}).get("left", {})


def noticed(compiler: type[Oracle], paths: AbstractSet[str]) -> Counter[str]:
    """How many flows do what they should not, by their paths, in so many federations that some do on each of some paths."""
    setattr(world, Oracle.__name__, compiler)
    found = Counter[str]()
    for seed in range(TRIALS):
        if paths <= found.keys():
            break
        rng = Random(seed)
        whole = federation(rng)
        whole = Federation(tuple(replace(member, bridged=True) for member in whole.members))
        for behind in (None, whole.members[0].name):
            topology = world.built(whole, behind)
            try:
                wrong = world.World(topology, whole, nft=True)
                flows, oracles = wrong.oracles(topology.draw(rng, wrong.described, FLOWS))
                wrong.load(oracles)
                prober = Prober(topology.fabric, rng)
                prober.judge(world.known(flows, oracles))
                found.update(each.flow.path for each in prober.failures)
            finally:
                topology.close()
    return found


def unhooked() -> Counter[str]:
    """What is noticed if bridges do not use the IP hooks, so that no chain sees what they forward."""
    with patch.object(nodes, "HOOKED", "0"):
        return noticed(Oracle, BRIDGES)


def forgotten() -> str:
    """What is noticed if nodes do not change sets of which only elements are new."""
    tally, seeds = campaign.Tally(), count()
    with (
        patch.object(Node, "refill", lambda node, commands: None),
        patch.object(campaign, "FLOWS", FLOWS),
        patch.object(campaign, "ATTEMPTS", 1),
    ):
        while not tally.wrong:
            campaign.trial(next(seeds), tally)
    return tally.wrong[0].kind


def main(name: str) -> None:
    compiler, kind = MISTAKES[name]
    everywhere = PATHS if compiler is Forgetful else {}
    said: dict[str, Any] = {"forgotten": forgotten(), "unhooked": unhooked()} if everywhere else {}
    said |= {each.__name__: noticed(each, paths) for each, paths in everywhere.items()}
    setattr(world, Oracle.__name__, compiler)
    tally, seeds = campaign.Tally(), count()
    # A router is built faster than a federation, and making a case smaller builds many.
    while not (found := [case for case in tally.wrong if case.behind and not case.agent and case.kind == kind]):
        campaign.trial(next(seeds), tally)
    small = cases.smaller(found[0])
    said |= {"case": cases.written(small), "kind": small.kind}
    print(json.dumps(said | {"complaints": cases.complaints(small), "report": cases.report(small)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
