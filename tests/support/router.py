"""A router between network namespaces, with a ruleset under test, and UDP packets that cross it.

Run as a module in a new user and network namespace, which becomes the router. Each endpoint is a namespace
that owns whole CIDRs (any-IP: a local route on its loopback device), so one process sends from and receives at every
address under test. No time-out decides a denial: after each batch a fence follows down every path, and what has not
arrived before the fence was dropped. This module must not know which packets should pass.

Input on stdin: ``{"script": nft script, "endpoints": {name: [CIDR…]}, "flows": [[endpoint, source, endpoint,
destination]…]}``. Output: for each flow whether it arrived, and whether the reply to it did.
"""

import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support.namespaces import current, inside, ip, new_namespace, path

IP_PKTINFO = 8
"""Of linux/in.h; Python 3.11 does not name it."""
PORT, FENCE_PORT, FIRST_SOURCE_PORT = 4000, 4001, 20000
FENCE_SECONDS = 10.0


class Endpoint:
    """A network namespace behind the router, with its own sockets."""

    def __init__(self, number: int, router: int, cidrs: Sequence[str]) -> None:
        self.number = number
        self.address, gateway = f"169.254.{number}.2", f"169.254.{number}.1"
        self.namespace = new_namespace()
        ip("link", "set", "lo", "up")
        ip("link", "add", "eth0", "type", "veth", "peer", "name", f"v{number}", "netns", path(router))
        ip("addr", "add", f"{self.address}/30", "dev", "eth0")
        ip("link", "set", "eth0", "up")
        for cidr in cidrs:
            ip("route", "add", "local", cidr, "dev", "lo")
        self.receiver, self.fence = _bound("0.0.0.0", PORT), _bound("0.0.0.0", FENCE_PORT)
        self.receiver.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        with inside(router):
            ip("addr", "add", f"{gateway}/30", "dev", f"v{number}")
            ip("link", "set", f"v{number}", "up")
            for cidr in cidrs:
                ip("route", "add", cidr, "via", self.address)
        ip("route", "add", "default", "via", gateway)


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.setblocking(False)
    return made


def _all_waiting(receiver: socket.socket) -> Iterator[tuple[int, str]]:
    """What has arrived: the number in each packet and its destination address."""
    while True:
        try:
            data, ancillary, _, _ = receiver.recvmsg(64, 256)
        except BlockingIOError:
            return
        destinations = [
            socket.inet_ntoa(value[8:12]) for level, kind, value in ancillary if (level, kind) == (0, IP_PKTINFO)
        ]
        yield int(data), destinations[0] if destinations else ""


def _settle(endpoints: Sequence[Endpoint]) -> None:
    """Send a packet that no policy governs along every path, and wait until all have arrived."""
    for endpoint in endpoints:
        for other in endpoints:
            if other is not endpoint:
                endpoint.fence.sendto(b"0", (other.address, FENCE_PORT))
    for endpoint in endpoints:
        endpoint.fence.settimeout(FENCE_SECONDS)
        for _ in range(len(endpoints) - 1):
            endpoint.fence.recv(64)


def main() -> None:
    """Build the router, load the ruleset, send, and print what arrived."""
    given = json.load(sys.stdin)
    # On one CPU what was sent first is handled first.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    router = current()
    ip("link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "ascii")
    endpoints: dict[str, Endpoint] = {}
    for number, (name, cidrs) in enumerate(given["endpoints"].items(), 1):
        with inside(router):
            endpoints[name] = Endpoint(number, router, cidrs)
    everyone = list(endpoints.values())
    # The first fence also resolves the link addresses, so that no packet under test waits for one.
    _settle(everyone)
    subprocess.run(["nft", "-f", "-"], input=given["script"], text=True, check=True)
    with ExitStack() as sockets:
        json.dump(_send(given["flows"], endpoints, sockets), sys.stdout)


def _send(flows: Sequence[Sequence[str]], endpoints: dict[str, Endpoint], sockets: ExitStack) -> list[list[bool]]:
    senders: list[socket.socket] = []
    for number, (start, source, _, destination) in enumerate(flows):
        with inside(endpoints[start].namespace):
            sender = sockets.enter_context(_bound(source, FIRST_SOURCE_PORT + number))
        senders.append(sender)
        sender.sendto(str(number).encode(), (destination, PORT))
    _settle(list(endpoints.values()))
    arrived = [found for endpoint in endpoints.values() for found in _all_waiting(endpoint.receiver)]
    passed = {number for number, destination in arrived if destination == flows[number][3]}
    for number in passed:
        _, source, end, destination = flows[number]
        spec = struct.pack("@i4s4s", 0, ipaddress.IPv4Address(destination).packed, bytes(4))
        reply = (source, FIRST_SOURCE_PORT + number)
        info = [(socket.IPPROTO_IP, IP_PKTINFO, spec)]
        endpoints[end].receiver.sendmsg([str(number).encode()], info, 0, reply)
    _settle(list(endpoints.values()))
    replied = {number for sender in senders for number, _ in _all_waiting(sender)}
    return [[number in passed, number in replied] for number in range(len(flows))]


if __name__ == "__main__":
    main()
