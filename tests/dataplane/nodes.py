"""Nodes as network namespaces with a kernel that forwards, and the cables between them and the wire.

Neighbours and routes are written down, so no packet waits for a node to find something out. Beside the chains under test
each node counts what enters and leaves its postrouting and input hooks, but for what it sends to its neighbours: what is lost in between was
dropped there, and a probe that is missing elsewhere is lost. This module must not know which packets should pass.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.dataplane import conntrack
from tests.dataplane.frames import UDP, Probe, packed, packet
from tests.dataplane.hosts import RULES, Host
from tests.dataplane.libnftables import Nft
from tests.dataplane.ports import Port
from tests.dataplane.refills import Place, apart, refills, tables
from tests.dataplane.wire import FENCE, Wire, WireError
from tests.support.namespaces import current, enter, inside, ip_batch, new_namespace, path

_FORWARDING: Final[Mapping[str, str]] = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/default/accept_dad": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    **conntrack.PATIENT,
    "ipv4/conf/default/send_redirects": "0",
}
_COUNTERS: Final = """
add table inet harness
add counter inet harness entered
add counter inet harness left
add chain inet harness first
add chain inet harness last
add rule inet harness first ip6 daddr { fe80::/10, ff00::/8 } accept
add rule inet harness last ip6 daddr { fe80::/10, ff00::/8 } accept
add rule inet harness first ip daddr != 169.254.0.0/16 counter name entered
add rule inet harness first ip6 daddr != 2001:db8:fe::/48 counter name entered
add rule inet harness last ip daddr != 169.254.0.0/16 counter name left
add rule inet harness last ip6 daddr != 2001:db8:fe::/48 counter name left
add chain inet harness first-sent { type filter hook postrouting priority -400; }
add chain inet harness last-sent { type filter hook postrouting priority 400; }
add chain inet harness first-received { type filter hook input priority -400; }
add chain inet harness last-received { type filter hook input priority 400; }
add rule inet harness first-sent goto first
add rule inet harness last-sent goto last
add rule inet harness first-received goto first
add rule inet harness last-received goto last
"""
_HOP: Final = "fe80::2"
_SYSCTL: Final = "/proc/sys/net"
_BRIDGED: Final = ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables")
HOOKED: Final = "1"
"""Whether a bridge uses the IP hooks."""


class Node:
    """A network namespace that forwards."""

    def __init__(self, name: str, *, host: bool = False) -> None:
        self.name = name
        outside = current()
        try:
            self.namespace = new_namespace()
            _write(_FORWARDING)
            ip_batch("link set lo up")
        finally:
            _enter(outside)
        self.nft = Nft(self.namespace)
        self.nft.run(_COUNTERS + (RULES if host else ""))
        self._dropped = 0
        self._loaded: list[Mapping[str, Any]] = []
        self._elements: dict[Place, list[str]] = {}
        self.refilled = 0
        """How often elements of sets were all that was new."""

    def dropped(self) -> int:
        """How many probes ended in the postrouting or the input hook since the last call."""
        listed = self.nft.listed("counters table inet harness")
        held = {one["counter"]["name"]: int(one["counter"]["packets"]) for one in listed if "counter" in one}
        before, self._dropped = self._dropped, held["entered"] - held["left"]
        return self._dropped - before

    def load(self, commands: Sequence[Mapping[str, Any]]) -> None:
        """Run the commands of a transaction of tables; those of the last one that it does not have go. Raises NftError.

        If elements of sets are all that is new, only these sets are changed, as Liqo's agent does it.
        """
        rest, elements = apart(commands)
        if (rest, elements.keys()) == (self._loaded, self._elements.keys()) and elements != self._elements:
            self.refill(refills(self._elements, elements))
        else:
            added, before = tables(rest), tables(self._loaded)
            # Added first: the last transaction may have emptied it, and what is not there cannot be deleted.
            gone = [{way: {"table": one}} for one in before if one not in added for way in ("add", "delete")]
            self.nft.run_json({"nftables": [*commands, *gone]})
        self._loaded, self._elements = rest, elements

    def refill(self, commands: Iterable[Mapping[str, Any]]) -> None:
        """Change elements of sets alone. Raises NftError."""
        self.nft.run_json({"nftables": [*commands]})
        self.refilled += 1

    def ip(self, *lines: str, six: bool = False) -> None:
        """Run commands of ip(8) here; ``six`` matters where no address tells the family."""
        with inside(self.namespace):
            ip_batch(*lines, six=six)

    def forget(self) -> None:
        """Forget all connections."""
        with inside(self.namespace):
            conntrack.flush()

    def close(self) -> None:
        """Leave the namespace, which goes with its last user."""
        self.nft.close()
        os.close(self.namespace)


class Fabric:
    """The nodes of a topology, the ports to send from and to, and the wire behind them."""

    def __init__(self) -> None:
        self._outside = current()
        self._namespace = new_namespace()
        # Else each device here announces itself to its node.
        _write({"ipv6/conf/default/disable_ipv6": "1"})
        self.wire = Wire()
        self.nodes: dict[str, Node] = {}
        self.ports: dict[str, Port] = {}
        self._number = 0

    def node(self, name: str, *, host: bool = False) -> Node:
        """A new node, of whose processes packets may come for ``host``."""
        self.nodes[name] = Node(name, host=host)
        return self.nodes[name]

    def host(self, name: str, node: Node) -> Port:
        """The processes of a node, as a place from which probes start and where they end. It has no fences."""
        at = len(self.ports) + 1
        host = Host(node.namespace, -at)
        self.wire.add_host(host, name)
        self.ports[name] = Port(name, at, host.number, "", "", None, (b"", b""))
        return self.ports[name]

    def port(self, name: str, node: Node, destinations: Iterable[str]) -> Port:
        """A cable from a node to the wire, behind which are some addresses or CIDRs."""
        at = len(self.ports) + 1
        far, near = link_address(at, 2), link_address(at, 1)
        _cable(at, node)
        node.ip(*next_hop(f"p{at}", far), *routes((*destinations, *fences_of(at)), f"p{at}"))
        return self._port(name, at, f"p{at}", _HOP, near, far)

    def bridge(self, node: Node, behind: Mapping[str, Sequence[str]]) -> None:
        """Cables of a bridge of a node to the wire, with what is behind each. The bridge has the kernel's IP hooks."""
        with inside(node.namespace):
            _write(dict.fromkeys(_BRIDGED, HOOKED))
        first = len(self.ports) + 1
        own, device = link_address(first, 3), f"b{first}"
        node.ip(
            f"link add {device} address {own} type bridge forward_delay 0 mcast_snooping 0", f"link set {device} up"
        )
        for name, destinations in behind.items():
            at = len(self.ports) + 1
            far, hop = link_address(at, 2), f"fe80::{at:x}:2"
            _cable(at, node)
            node.ip(
                f"link set p{at} master {device}",
                # As kubelet does: else nothing goes back to where it came from.
                f"link set p{at} type bridge_slave hairpin on",
                f"neigh replace {hop} lladdr {far} nud permanent dev {device}",
                *routes((*destinations, *fences_of(at)), device, hop=hop),
            )
            with inside(node.namespace):
                subprocess.run(["bridge", "fdb", "replace", far, "dev", f"p{at}", "master", "static"], check=True)
            self._port(name, at, device, hop, own, far)
        self.connect(behind)

    def connect(self, behind: Mapping[str, Sequence[str]]) -> None:
        """Have what is behind ports of a bridge send straight to what is behind its other ports."""
        for name in behind:
            straight = self.ports[name].straight
            straight.clear()
            for other, addresses in behind.items():
                if other != name:
                    at = self.ports[other].number
                    head = _head(link_address(at, 2), link_address(self.ports[name].number, 2))
                    straight.update(dict.fromkeys(map(packed, (*addresses, *fences_of(at))), head))

    def _port(self, name: str, at: int, there: str, hop: str, near: str, far: str) -> Port:
        fences = fences_of(at)
        number = self.wire.add(f"w{at}", name)
        self.ports[name] = Port(name, at, number, there, hop, _head(near, far), (packed(fences[0]), packed(fences[1])))
        return self.ports[name]

    def reroute(self, node: Node, address: str, name: str) -> None:
        """An address is behind another port of a node now."""
        port = self.ports[name]
        node.ip(*routes((address,), port.there, how="replace", hop=port.hop))

    def fence(self, start: Port, end: Port) -> set[int]:
        """Send two packets that follow all that was sent from one port to another; their numbers.

        If either arrives, nothing else is on its way. One is of IPv4 and one of IPv6, as chains may be wrong in one family.
        """
        numbers = set[int]()
        for source, destination in zip(start.fences, end.fences, strict=True):
            self._number += 1
            number = FENCE | self._number
            self.wire.send(start.device, start.frame(packet(Probe(source, destination, UDP, 9, 9), number)))
            numbers.add(number)
        return numbers

    def check(self, sent: int, arrived: int, missing: Sequence[str]) -> None:
        """Raises WireError unless each probe that was sent has arrived or was dropped by a node's chains.

        ``missing`` are those that should have arrived and have not.
        """
        dropped, unseen = sum(node.dropped() for node in self.nodes.values()), self.wire.lost()
        if unseen or sent != arrived + dropped:
            raise WireError(
                f"of {sent} probes {arrived} arrived and {dropped} were dropped in a hook; {unseen} did "
                f"not fit into the ring; missing are {', '.join(missing[:3])}"
            )

    def close(self) -> None:
        """Leave every namespace."""
        self.wire.close()
        for node in self.nodes.values():
            node.close()
        _enter(self._outside)
        os.close(self._namespace)


def _cable(number: int, node: Node) -> None:
    """A pair of devices between the wire, where the process is, and a node."""
    far, near, here, there = link_address(number, 2), link_address(number, 1), f"w{number}", f"p{number}"
    ip_batch(
        f"link add {here} address {far} type veth peer name {there} address {near} netns {path(node.namespace)}",
        f"link set {here} up",
    )
    node.ip(f"link set {there} up")


def _head(to: str, sender: str) -> bytes:
    """The link addresses of a frame."""
    return bytes.fromhex((to + sender).replace(":", ""))


def sees_bridges() -> bool:
    """Whether the kernel has IP hooks for what bridges forward (br_netfilter)."""
    return all(Path(_SYSCTL, name).exists() for name in _BRIDGED)


def link_address(number: int, end: int) -> str:
    """The link address of one end of a cable."""
    return f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{end:02x}"


def fences_of(number: int) -> tuple[str, str]:
    """The addresses of the fences of a port, by its number, in each family."""
    return f"169.254.{number}.2", f"2001:db8:fe::{number:x}"


def next_hop(device: str, address: str) -> tuple[str, ...]:
    """Commands that make known who is at the other end of a device; ``routes`` sends to it."""
    return (f"neigh replace {_HOP} lladdr {address} nud permanent dev {device}",)


def routes(targets: Iterable[str], device: str, table: str = "main", *, how: str = "add", hop: str = _HOP) -> list[str]:
    """Commands that send packets for some addresses or CIDRs out of a device, to what is at its other end.

    ``how`` is add, or replace for those that went out of another one.
    """
    return [f"route {how} {target} via inet6 {hop} dev {device} table {table}" for target in targets]


def _write(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        Path(_SYSCTL, name).write_text(value, "ascii")


def _enter(namespace: int) -> None:
    """Go into a network namespace for good, and close it."""
    enter(namespace)
    os.close(namespace)
