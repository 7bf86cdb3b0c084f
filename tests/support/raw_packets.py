"""Real packets of any protocol, sent on one machine under a ruleset, and whether the kernel let each out.

Run as a script in a new user and network namespace. Any address of some prefixes is local, so that one process sends from
and to every address under test. A packet that is dropped at postrouting makes sendto fail with EPERM: that is the verdict,
and no time-out decides anything. Each packet is the first of its connection. This module must not know which packets
should pass.

Input on stdin: ``{"script": nft script, "packets": [[source, destination, protocol, port, type of ICMPv6]…]}``. Output: for
each packet whether it passed.
"""

import ipaddress
import json
import socket
import struct
import subprocess
import sys

PREFIXES = ("10.0.0.0/8", "172.16.0.0/12", "192.0.0.0/8", "fd00::/8", "2001:db8::/32")
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
ICMP, ICMP6 = 1, 58
UNASSIGNED = range(146, 253)
"""Numbers that belong to no protocol: conntrack knows such packets by their addresses alone."""
TYPES = {"echo-request": 128, "packet-too-big": 2, "nd-neighbor-solicit": 135}


def upper_layer(number: int, protocol: str, port: int, icmp6: str, destination: str) -> tuple[int, bytes]:
    """The number of the protocol of the packet with a number, and what follows the IP header."""
    source_port = 20000 + number
    if protocol == "udp":
        return PROTOCOLS[protocol], struct.pack(">HHHH", source_port, port, 8, 0)
    if protocol == "tcp":
        return PROTOCOLS[protocol], struct.pack(">HHIIBBHHH", source_port, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    if protocol == "sctp":
        chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
        return PROTOCOLS[protocol], struct.pack(">HHII", source_port, port, 0, 0) + chunk
    if protocol == "icmp":
        kind, body = (TYPES[icmp6], ipaddress.ip_address(destination).packed) if icmp6 else (8, b"")
        return (ICMP6 if icmp6 else ICMP), struct.pack(">BBHHH", kind, 0, 0, number, 1) + body
    return UNASSIGNED[number % len(UNASSIGNED)], bytes(8)


def datagram(number: int, source: str, destination: str, protocol: str, port: int, icmp6: str) -> bytes:
    """A packet with its IP header; the kernel fills in the checksum of IPv4."""
    kind, body = upper_layer(number, protocol, port, icmp6, destination)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(body), kind, 255) + ends + body
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), number + 1, 0, 255, kind, 0) + ends + body


def passes(sender: socket.socket, packet: bytes, destination: str) -> bool:
    """Whether the kernel let a packet out."""
    try:
        sender.sendto(packet, (destination, 0))
    except PermissionError:
        return False
    return True


def main() -> None:
    """Load the ruleset, send, and print what passed."""
    given = json.load(sys.stdin)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for prefix in PREFIXES:
        subprocess.run(["ip", "route", "add", "local", prefix, "dev", "lo"], check=True)
    subprocess.run(["nft", "-f", "-"], input=given["script"], text=True, check=True)
    raw = {
        family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for family in (socket.AF_INET, socket.AF_INET6)
    }
    answers: list[bool] = []
    for number, packet in enumerate(given["packets"]):
        sender = raw[socket.AF_INET6 if ":" in packet[0] else socket.AF_INET]
        answers.append(passes(sender, datagram(number, *packet), packet[1]))
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
