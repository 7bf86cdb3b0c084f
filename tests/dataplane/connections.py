"""A router whose chains change while connections live, and what becomes of the packets of these connections.

Run as a module in a new user and network namespace. Pods and a remote cluster are cables of the router, which also rewrites a
Service to the remote end and gives such packets its own address, and tracks nothing of one port. This module must not know
which packets should pass.

Input on stdin: a list of steps. ``{"load": nft script}`` loads chains. ``{"send": …}`` sends the first packet of a connection:
``name``, ``from`` and ``to`` (places), ``source``, ``destination``, ``protocol`` and ``port``. ``{"reply": name}``, ``{"later":
name}`` and ``{"error": name}`` send what follows it: a packet back, one more in its direction, an error from its end. ``{"count":
table, "family": family}`` reads named counters. Output: for each step what arrived (or null), or the counts.
"""

import json
import os
import sys
from typing import Any, Final

from tests.dataplane.frames import ICMP, ICMP6, PUSH_ACK, SYN_ACK, TCP, UDP, Probe, Seen, packed, packet, unreachable
from tests.dataplane.nodes import Fabric
from tests.support.namespaces import ip_batch

PODS: Final = ("10.1.0.9", "fd00:1::9")
REMOTE: Final = ("10.71.0.9", "fd00:71::9")
NODE: Final = ("172.18.0.1", "fd00:18::1")
SERVICE: Final = ("10.96.0.10", "fd00:96::10")
SERVICE_PORT: Final = 8080
UNTRACKED: Final = 4789
_NAT: Final = f"""
table inet service {{
	chain untracked {{
		type filter hook prerouting priority raw;
		udp dport {UNTRACKED} notrack
		udp sport {UNTRACKED} notrack
	}}
	chain destinations {{
		type nat hook prerouting priority dstnat;
		ip daddr {SERVICE[0]} meta l4proto {{ tcp, udp }} th dport {SERVICE_PORT} dnat ip to {REMOTE[0]}:80
		ip6 daddr {SERVICE[1]} meta l4proto {{ tcp, udp }} th dport {SERVICE_PORT} dnat ip6 to [{REMOTE[1]}]:80
	}}
	chain sources {{
		type nat hook postrouting priority srcnat;
		ct status dnat masquerade
	}}
	counter received {{
	}}
	chain received {{
		type filter hook input priority 10;
		udp dport 10250 counter name "received"
	}}
}}
"""
_NUMBERS: Final = {"tcp": (TCP, TCP), "udp": (UDP, UDP), "icmp": (ICMP, ICMP6)}


class Router:
    """The router, and the connections through it by name."""

    def __init__(self) -> None:
        self.fabric = Fabric()
        self.node = self.fabric.node("router")
        self.fabric.port("pods", self.node, PODS)
        self.fabric.port("remote", self.node, REMOTE)
        self.node.ip(*(f"addr add {address} dev p2" for address in NODE))
        self.node.nft.run(_NAT)
        self._number = 0
        self._first: dict[str, tuple[Probe, str, str]] = {}
        self._arrived: dict[str, Seen] = {}

    def step(self, step: dict[str, Any]) -> Any:
        """Do a step; what arrived of the packet sent: the place and both addresses, as hexadecimal digits."""
        match step:
            case {"load": script}:
                self.node.nft.run(script)
                return None
            case {"count": table, "family": family}:
                listed = self.node.nft.listed(f"counters table {family} {table}")
                return {one["counter"]["name"]: one["counter"]["packets"] for one in listed if "counter" in one}
            case {"send": name}:
                source, destination = packed(step["source"]), packed(step["destination"])
                protocol = _NUMBERS[step["protocol"]][len(source) == 16]
                probe = Probe(source, destination, protocol, 40000 + len(self._first), step["port"] or 8)
                self._first[name] = probe, step["from"], step["to"]
                seen = self._sent(packet(probe, self._number), step["from"], step["to"])
                if seen is not None:
                    self._arrived[name] = seen
                return self._told(seen)
            case {"reply": name}:
                _, start, end = self._first[name]
                back = self._answer(name)
                return self._told(self._sent(packet(back, self._number), end, start))
            case {"later": name}:
                probe, start, end = self._first[name]
                back = self._answer(name)
                later = probe._replace(flags=PUSH_ACK, sequence=back.acknowledged, acknowledged=back.sequence + 1)
                return self._told(self._sent(packet(later, self._number), start, end))
            case {"error": name}:
                _, start, end = self._first[name]
                arrived = self._arrived[name]
                whole = unreachable(arrived.destination, arrived.source, arrived.packet, self._number)
                return self._told(self._sent(whole, end, start))
            case _:
                raise ValueError(step)

    def _answer(self, name: str) -> Probe:
        probe, _, _ = self._first[name]
        if name in self._arrived:
            return self._arrived[name].answer()
        return probe._replace(
            source=probe.destination, destination=probe.source, sport=probe.dport, dport=probe.sport, flags=SYN_ACK
        )

    def _sent(self, whole: bytes, start: str, end: str) -> Seen | None:
        self._number += 1
        ports = self.fabric.ports
        self.fabric.wire.send(ports[start].device, ports[start].frame(whole))
        fences = [self.fabric.fence(ports[start], ports[end])]
        found = self.fabric.wire.received(fences)
        assert len(found) <= 1, found
        return found[0] if found else None

    def _told(self, seen: Seen | None) -> list[str] | None:
        if seen is None:
            return None
        return [self.fabric.wire.names[seen.device], seen.source.hex(), seen.destination.hex()]


def main() -> None:
    """Do the steps, and print what became of each."""
    # On one CPU a fence stays behind what was sent before it.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    ip_batch("link set lo up")
    router = Router()
    print(json.dumps([router.step(step) for step in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
