"""The far ends of all cables: one namespace from which every probe is sent, and in which every one that arrives is seen.

The devices here have no addresses, so the kernel answers nothing: each frame is written whole and read from a ring that it
shares with the kernel, which loses nothing as long as the ring is not full, and says so when it is. No time-out decides
anything: behind a batch follows a fence, and what has not arrived before it was dropped. This module must not know which
packets should pass.
"""

import mmap
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from tests.dataplane.frames import Seen, seen
from tests.dataplane.hosts import Host

ETH_P_ALL: Final = 3
# linux/if_packet.h
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 263, 5, 6, 10, 23
TPACKET_V2, USER = 1, 1
_FRAME, _FRAMES, _BLOCK = 1024, 4096, 1 << 16
_HEADER = struct.Struct("=IIIHH")
"""The begin of a tpacket2_hdr: status, length, length captured, where the frame begins, where its packet does."""
_DEVICE_AT = 32 + 4
FENCE_SECONDS: Final = 10.0
FENCE: Final = 0xF0000000
"""The smallest number of a fence."""


class WireError(Exception):
    """The harness has failed: a probe was lost, or a fence did not arrive. It says nothing of any policy."""


class Wire:
    """Sends and sees frames in the network namespace where it is made."""

    def __init__(self) -> None:
        self._ring = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._ring.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._ring.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        per_block = _BLOCK // _FRAME
        request = struct.pack("=IIII", _BLOCK, _FRAMES // per_block, _FRAME, _FRAMES)
        self._ring.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        self._memory = mmap.mmap(self._ring.fileno(), _FRAME * _FRAMES)
        self._at = 0
        self._poll = select.poll()
        self._poll.register(self._ring, select.POLLIN)
        self._senders: dict[int, socket.socket] = {}
        self._hosts: dict[int, Host] = {}
        self.names: dict[int, str] = {}
        """The place of each device."""

    def add(self, name: str, place: str) -> int:
        """Take a device of this namespace into use, known by a place; its number."""
        number = socket.if_nametoindex(name)
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((name, 0))
        self._senders[number] = sender
        self.names[number] = place
        return number

    def add_host(self, host: Host, place: str) -> None:
        """Take the processes of a node into use, known by a place."""
        self._hosts[host.number] = host
        self.names[host.number] = place

    def send(self, device: int, frame: bytes) -> None:
        """Send a frame out of a device, or a packet from a host. Raises WireError if the kernel does not take it."""
        if device in self._hosts:
            self._hosts[device].send(frame)
        elif self._senders[device].send(frame) != len(frame):
            raise WireError(f"{self.names[device]}: the kernel took part of a frame only")

    def received(self, fences: Sequence[AbstractSet[int]]) -> list[Seen]:
        """All probes that arrived until one fence of each of some groups has. Raises WireError if none of a group does."""
        waiting = {number: at for at, group in enumerate(fences) for number in group}
        missing, found = set(range(len(fences))), list[Seen]()
        while missing:
            for one in self._waiting():
                if one.number < FENCE:
                    found.append(one)
                elif one.number in waiting:
                    missing.discard(waiting[one.number])
            if missing and not self._poll.poll(FENCE_SECONDS * 1000):
                raise WireError(f"{len(missing)} of {len(fences)} fences did not arrive in {FENCE_SECONDS:g} seconds")
        for host in self._hosts.values():
            found.extend(host.received())
        return found

    def lost(self) -> int:
        """How many frames the ring had no room for since the last call."""
        _, drops = struct.unpack("=II", self._ring.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(drops)

    def _waiting(self) -> Iterator[Seen]:
        memory = self._memory
        while True:
            begin = self._at * _FRAME
            status, _, held, mac, _ = _HEADER.unpack_from(memory, begin)
            if not status & USER:
                return
            (device,) = struct.unpack_from("=i", memory, begin + _DEVICE_AT)
            one = seen(device, memory[begin + mac : begin + mac + held])
            memory[begin : begin + 4] = bytes(4)
            self._at = (self._at + 1) % _FRAMES
            if one is not None:
                yield one

    def close(self) -> None:
        """Give everything back."""
        self._memory.close()
        self._ring.close()
        for sender in self._senders.values():
            sender.close()
        for host in self._hosts.values():
            host.close()
