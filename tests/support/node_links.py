"""A node with a ruleset between hosts, each on a link, in both families: who can be reached, and what path MTU is learnt.

Run as a module in a new user and network namespace, which becomes the node. Every host is a namespace behind a link, whose
packets the node forwards; the node sends too. Neighbours are found by ARP and neighbour discovery, as on a real link. No
time-out decides a denial: after each probe a packet follows to FENCE, which the ruleset has to allow, and what has not
arrived before it was dropped. If neighbours cannot be found, the sender's kernel says so. This module must not know which
packets should pass.

Input on stdin: ``{"script": nft script, "hosts": {name: MTU}, "probes": [[from, to, family, port]…], "large": [[from, to,
family]…]}``, where the node is ``node``. Output: for each probe ``passed``, ``dropped`` or ``unreachable``; for each large
packet, which is the first of its connection, the path MTU that the sender knows then.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.namespaces import inside, ip, new_namespace, path
from tests.support.waiting import eventually

NODE = "node"
PORT, FENCE = 5000, 5001
LARGE = 1450
RETRANSMIT_MS = "50"
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
OPTIONS = {
    4: (socket.IPPROTO_IP, 10, 14, 11),
    6: (socket.IPPROTO_IPV6, 23, 24, 25),
}
"""By family the level, and the options MTU_DISCOVER, MTU and RECVERR of linux/in.h and linux/in6.h."""
DISCOVER = 2


class Host:
    """A namespace, its addresses, and a socket for each port and family."""

    def __init__(self, namespace: int, addresses: dict[int, str]) -> None:
        self.namespace, self.addresses = namespace, addresses
        self.receivers: dict[tuple[int, int], socket.socket] = {}

    def listen(self) -> None:
        """Bind the sockets, once the addresses can be used."""
        with inside(self.namespace):
            for family, address in self.addresses.items():
                for port in (PORT, FENCE):
                    made = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
                    made.bind((address, port))
                    made.setblocking(False)
                    self.receivers[family, port] = made


def build(hosts: dict[str, int]) -> dict[str, Host]:
    """The node, in the current namespace, and its hosts."""
    node = os.open("/proc/self/ns/net", os.O_RDONLY)
    ip("link", "set", "lo", "up")
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", name).write_text("1", "ascii")
    made: dict[str, Host] = {}
    for number, (name, mtu) in enumerate(hosts.items(), 1):
        ends = {4: f"10.{number}.0.{{}}", 6: f"fd00:{number}::{{}}"}
        made.setdefault(NODE, Host(node, {family: end.format(1) for family, end in ends.items()}))
        with inside(node):
            made[name] = Host(new_namespace(), {family: end.format(2) for family, end in ends.items()})
            peer = ("peer", "name", f"v{number}", "mtu", f"{mtu}", "netns", path(node))
            ip("link", "set", "lo", "up")
            ip("link", "add", "eth0", "mtu", f"{mtu}", "type", "veth", *peer)
            _address("eth0", made[name].addresses)
            for end in ends.values():
                ip("route", "add", "default", "via", end.format(1), "dev", "eth0")
        _address(f"v{number}", {family: end.format(1) for family, end in ends.items()})
    return made


def _address(device: str, addresses: dict[int, str]) -> None:
    for family, address in addresses.items():
        ip("addr", "add", f"{address}/{24 if family == 4 else 64}", "dev", device, *(["nodad"] if family == 6 else []))
    ip("link", "set", device, "up")
    Path("/proc/sys/net/ipv6/neigh", device, "retrans_time_ms").write_text(RETRANSMIT_MS, "ascii")


def settle(hosts: dict[str, Host]) -> None:
    """Wait until every link has a carrier and every address is usable; then forget the neighbours."""

    def shown() -> str:
        return "".join(_listed(host, what) for host in hosts.values() for what in ("link", "addr"))

    def settled() -> bool:
        text = shown()
        return "tentative" not in text and text.count("state UP") == 2 * (len(hosts) - 1)

    eventually(settled, shows=shown)
    for host in hosts.values():
        with inside(host.namespace):
            ip("neigh", "flush", "all")


def _listed(host: Host, what: str) -> str:
    with inside(host.namespace):
        return subprocess.run(["ip", "-o", what], text=True, capture_output=True, check=True).stdout


def probe(start: Host, end: Host, family: int, port: int) -> str:
    """What became of a packet, told by what follows it."""
    fenced = end.receivers[family, FENCE]
    for receiver in end.receivers.values():
        _drain(receiver)
    with inside(start.namespace), _socket(family) as sender, _socket(family) as fence:
        sender.connect((end.addresses[family], port))
        fence.connect((end.addresses[family], FENCE))
        if not _sent(sender):
            return "dropped"
        if eventually(lambda: _drain(fenced) or not _sent(fence)) is True:
            return "unreachable"
    return "passed" if _drain(end.receivers[family, port]) else "dropped"


def path_mtu(start: Host, end: Host, family: int) -> int:
    """The path MTU that the sender of a large packet knows when a small one to FENCE has arrived after it."""
    level, discover, mtu, _ = OPTIONS[family]
    with inside(start.namespace), _socket(family) as sender:
        ip(f"-{family}", "route", "flush", "cache")
        sender.setsockopt(level, discover, DISCOVER)
        sender.connect((end.addresses[family], PORT))
        sender.send(bytes(LARGE))
        reached = probe(start, end, family, FENCE)
        if reached == "unreachable":
            raise ConnectionError(f"{end.addresses[family]} cannot be reached")
        return sender.getsockopt(level, mtu)


def _socket(family: int) -> socket.socket:
    """A socket that reports a neighbour who cannot be found."""
    made = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
    level, _, _, errors = OPTIONS[family]
    made.setsockopt(level, errors, 1)
    return made


def _sent(sender: socket.socket) -> bool:
    """Whether the kernel let a packet out: it says if it dropped it, or could not reach the neighbour before."""
    try:
        sender.send(b"probe")
    except OSError:
        return False
    return True


def _drain(receiver: socket.socket) -> int:
    found = 0
    while True:
        try:
            receiver.recv(2048)
        except BlockingIOError:
            return found
        found += 1


def main() -> None:
    """Build the node and its links, load the ruleset, send, and print what became of it."""
    given = json.load(sys.stdin)
    # On one CPU what was sent first is handled first.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    hosts = build(given["hosts"])
    settle(hosts)
    for host in hosts.values():
        host.listen()
    subprocess.run(["nft", "-f", "-"], input=given["script"], text=True, check=True)
    probes: Sequence[Sequence[str]] = given["probes"]
    said = [probe(hosts[start], hosts[end], int(family), int(port)) for start, end, family, port in probes]
    mtus = [path_mtu(hosts[start], hosts[end], int(family)) for start, end, family in given["large"]]
    json.dump([said, mtus], sys.stdout)


if __name__ == "__main__":
    main()
