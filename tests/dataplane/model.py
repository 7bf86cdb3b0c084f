"""What rulesets do to the packets of some flows, computed without a kernel: which mutants of a ruleset are as good as it is.

Every packet is a bit, and what a match holds of is a number with these bits, so a ruleset of which one match has changed
costs next to nothing. What a match means says ``tests/support/chain_verdict.py``.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tests.dataplane.probing import SPORTS
from tests.dataplane.shots import Flow, needs_signals
from tests.dataplane.topology import Outer
from tests.support.chain_verdict import Packet, match_holds
from tests.support.descriptions import Traffic

KINDS: Final = ("new", "reply", "later", "related", "too big", "neighbour")
SNAT: Final = 100
"""The priority from which a chain at postrouting sees the source that NAT has given a packet."""
Command = Mapping[str, Any]


class Sight(NamedTuple):
    """A flow as the cluster with the mutant sees it; ``cut`` says that another cluster on its way drops its first packet."""

    flow: Flow
    traffic: Traffic
    cut: bool = False


class Model:
    """The packets of some flows, each of every kind, as a chain before source NAT sees them, and as one after it.

    ``outer`` are the packets of tunnels, which carry those of others.
    """

    def __init__(self, sights: Sequence[Sight], translated: Mapping[bytes, str], outer: Iterable[Outer] = ()) -> None:
        self.sights = sights
        carrying = list(outer)
        self._packets: dict[bool, list[Packet]] = {
            after: [
                *(packet for sight in sights for packet in _packets(sight, translated if after else None)),
                *(
                    Packet(late if after else source, destination, state, "udp", port)
                    for source, destination, port, late in carrying
                    for state in ("new", "established")
                ),
            ]
            for after in (False, True)
        }
        self._known: dict[tuple[bool, str, str, str], int] = {}
        bits = [(1 << at, packet.ipv6) for at, packet in enumerate(self._packets[False])]
        self._families = {family: sum(bit for bit, six in bits if six == (family == "ip6")) for family in ("ip", "ip6")}

    def cuts_tunnels(self, commands: Iterable[Command]) -> bool:
        """Whether commands may drop what carries the packets of others, so that not even a fence comes through."""
        return bool(self._dropped(commands) >> len(KINDS) * len(self.sights))

    def failing(self, commands: Iterable[Command]) -> set[tuple[int, str]]:
        """The packets that do what they should not once commands are loaded: number of the flow, kind.

        What follows a first packet is sent only if that has arrived and had to.
        """
        dropped = self._dropped(commands)
        found: set[tuple[int, str]] = set()
        for number, (flow, _, cut) in enumerate(self.sights):
            here = dropped >> len(KINDS) * number
            if flow.allowed == bool(cut or here & 1):
                found.add((number, "new"))
            elif flow.allowed:
                reply = here & 2
                kinds = [("reply", reply), ("later", not reply and here & 4), ("related", here & 8)]
                found |= {(number, kind) for kind, wrong in kinds if wrong}
            if needs_signals(flow):
                found |= {(number, kind) for at, kind in enumerate(KINDS) if at >= 4 and here >> at & 1}
        return found

    def _dropped(self, commands: Iterable[Command]) -> int:
        """The packets that the base chains of some tables drop, as bits."""
        tables: defaultdict[tuple[str, str], dict[str, set[str]]] = defaultdict(dict)
        chains: dict[tuple[str, str, str], tuple[int, list[list[Any]]]] = {}
        for command in commands:
            ((kind, body),) = command.get("add", {"": {}}).items()
            at = body.get("family", ""), body.get("table", "")
            if kind == "chain":
                assert (body["hook"], body["policy"]) == ("postrouting", "accept")
                chains[*at, body["name"]] = body["prio"], []
            elif kind == "set":
                tables[at][body["name"]] = set()
            elif kind == "element":
                tables[at][body["name"]] |= set(body["elem"])
            elif kind == "rule":
                chains[*at, body["chain"]][1].append(body["expr"])
        found = 0
        # All base chains are asked, and a drop of one is final.
        for (family, table, _), (priority, rules) in chains.items():
            found |= self._dropped_by(tables[family, table], rules, family, priority > SNAT)
        return found

    def _dropped_by(self, sets: Mapping[str, set[str]], rules: Iterable[list[Any]], family: str, after: bool) -> int:
        left, found = self._families[family], 0
        for *matches, verdict in rules:
            held = left
            for match in matches:
                if not held:
                    break
                held &= self._holding(match["match"], sets, family, after)
            if "drop" in verdict:
                found |= held
            left &= ~held
        return found

    def _holding(self, match: Mapping[str, Any], sets: Mapping[str, set[str]], family: str, after: bool) -> int:
        """The packets of a family that meet a match, as bits."""
        right = match["right"]
        named = {right[1:]: sets[right[1:]]} if isinstance(right, str) and right.startswith("@") else {}
        key = after, family, json.dumps(match), json.dumps([sorted(elements) for elements in named.values()])
        if key not in self._known:
            self._known[key] = sum(
                1 << at
                for at, packet in enumerate(self._packets[after])
                if packet.ipv6 == (family == "ip6") and match_holds(match, named, packet)
            )
        return self._known[key]


def _packets(sight: Sight, translated: Mapping[bytes, str] | None) -> list[Packet]:
    """The packets of a flow, one of each kind; with the addresses that NAT has given them at last, if these are known."""
    flow, seen = sight.flow, sight.traffic
    source, destination, answering = seen.source, seen.destination, seen.destination
    if translated is not None:
        source = translated.get(flow.source, source)
        if flow.path != "pod":
            # To its sender a Service answers, not the endpoint.
            answering = flow.traffic.destination
    # An answer goes to the address and port that the first packet came from; NAT gives it them before any chain sees it.
    back = SPORTS[0] if seen.port else 0
    six = ":" in source
    echo, echoed = ("echo-request", "echo-reply") if seen.protocol == "icmp" and six else ("", "")
    return [
        Packet(source, destination, "new", seen.protocol, seen.port, echo),
        Packet(answering, seen.source, "established", seen.protocol, back, echoed),
        Packet(source, destination, "established", seen.protocol, seen.port, echo),
        Packet(answering, seen.source, "related", "icmp", 0, "destination-unreachable" if six else ""),
        # conntrack knows neither.
        Packet(source, destination, "invalid", "icmp", 0, "packet-too-big" if six else ""),
        Packet(source, destination, "untracked", "icmp", 0, "nd-neighbor-solicit" if six else ""),
    ]
