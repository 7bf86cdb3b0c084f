"""A flood of packets of two kinds through a node: some that every policy denies, and others that every policy allows.

Behind each burst follows a fence, a packet that no policy governs, on the same way. On one CPU what was sent first is handled
first: when the fence has arrived, each packet before it has too, or was dropped. So no time-out decides anything, however
busy the machine is. This module must not know what the policies are.
"""

import multiprocessing
import os
import socket
from ctypes import c_longlong
from dataclasses import dataclass
from typing import Any, Self

from tests.support.namespaces import inside
from tests.support.router import FENCE_PORT, FENCE_SECONDS, Endpoint
from tests.support.waiting import pause

DENIED, ALLOWED = "10.244.1.1", "10.244.1.2"
"""The pod that every policy denies, and the one that every policy allows."""
REMOTE = "10.71.0.9"
PORTS = (5001, 5002)
BURST, MEETING = 16, 48
"""Packets of each kind that are sent at once, and that meet the kernel between two changes at least."""


@dataclass
class Counts:
    """How many packets were sent and what came of them, how many edits there were, and how often the controller died."""

    denied: int = 0
    passed: int = 0
    allowed: int = 0
    lost: int = 0
    edits: int = 0
    kills: int = 0


_SENT, _PASSED, _ARRIVED, _FLOW, _SEEN, _END = range(6)
"""The numbers that both processes share: packets of each kind, and of those denied and allowed how many arrived; how often the
flow was turned on or off, and how often the sender has noticed; and whether it is over."""


class Flood:
    """Packets of both kinds, sent by another process while the context lasts."""

    def __init__(self, local: Endpoint, remote: Endpoint) -> None:
        self._counts: Any = multiprocessing.Array(c_longlong, 6, lock=False)
        self._local, self._remote = local.fence, remote.fence
        self._fence_to = remote.address, FENCE_PORT
        self._remote.settimeout(FENCE_SECONDS)
        with inside(local.namespace):
            self._senders = [bound(address, 0) for address in (DENIED, ALLOWED)]
        with inside(remote.namespace):
            self._receivers = [bound("0.0.0.0", port) for port in PORTS]
        self._begun = [0] * 6
        self._process = multiprocessing.get_context("fork").Process(target=self._send)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._counts[_END] = 1
        self._process.join()

    def meet(self) -> None:
        """Wait until more packets have met the kernel as it is now."""
        until = self._counts[_SENT] + MEETING
        while self._counts[_SENT] < until:
            self._wait()

    def flow(self, *, on: bool) -> None:
        """Begin to send, or pause: then nothing is on its way any more."""
        if on != self._counts[_FLOW] % 2:
            self._counts[_FLOW] += 1
        while not on and self._counts[_SEEN] != self._counts[_FLOW]:
            self._wait()

    def begin(self) -> None:
        """Count from here on, where the flood rests: until the first chain is in force, nothing is denied."""
        self._begun = list(self._counts)

    def counts(self) -> Counts:
        """What came of the packets, after the end."""
        if self._process.exitcode:
            raise AssertionError("the flood failed")
        sent, passed, arrived, *_ = (after - before for after, before in zip(self._counts, self._begun, strict=True))
        return Counts(sent, passed, sent, sent - arrived)

    def _wait(self) -> None:
        if self._process.exitcode is not None:
            raise AssertionError("the flood has ended")
        pause(0.0002)

    def _send(self) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        # Until link addresses are known, packets wait.
        self._fence()
        while not self._counts[_END]:
            flow = self._counts[_FLOW]
            if not flow % 2:
                self._counts[_SEEN] = flow
                pause(0.0005)
                continue
            for _ in range(BURST):
                for sender, port in zip(self._senders, PORTS, strict=True):
                    sender.sendto(b"0", (REMOTE, port))
            self._fence()
            for index, receiver in zip((_PASSED, _ARRIVED), self._receivers, strict=True):
                self._counts[index] += waiting(receiver)
            self._counts[_SENT] += BURST

    def _fence(self) -> None:
        self._local.sendto(b"0", self._fence_to)
        self._remote.recv(64)


def waiting(receiver: socket.socket) -> int:
    """How many packets have arrived."""
    found = 0
    try:
        while receiver.recv(16):
            found += 1
    except BlockingIOError:
        pass
    return found


def bound(address: str, port: int) -> socket.socket:
    """A UDP socket in the current namespace that never waits."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.setblocking(False)
    return made
