"""What a prober sends, as values: flows with their ways, packets with what has to become of them, connections.

This module must not know which packets should pass.
"""

from dataclasses import dataclass
from typing import NamedTuple

from tests.dataplane.frames import Probe, Seen, packed
from tests.support.descriptions import Traffic


class Flow(NamedTuple):
    """A flow as it is sent, the ports where it begins and ends, and the addresses with which its packets arrive, if they do.

    ``crossed`` is how the chains on its way see it, by cluster. ``way`` are the ports of the nodes on it, for fences. ``path``
    says for a person what kind of way it is. ``allowed`` says that its packets have to arrive, or else be dropped.
    """

    name: str
    """The cluster in which it begins."""
    traffic: Traffic
    start: str
    end: str
    source: bytes
    destination: bytes
    crossed: tuple[tuple[str, Traffic], ...]
    way: tuple[str, ...]
    path: str = "pod"
    allowed: bool = False

    @property
    def asked(self) -> tuple[tuple[str, Traffic], ...]:
        """What to ask the clusters: about the flow as it is sent, and as chains see it."""
        return tuple(dict.fromkeys(((self.name, self.traffic), *self.crossed)))

    @property
    def port(self) -> int:
        """The port to which its packets arrive."""
        return (self.crossed[-1][1] if self.crossed else self.traffic).port

    @property
    def translated(self) -> bool:
        """Whether a packet arrives with other addresses than it is sent with, or another cluster sees others."""
        ends = packed(self.traffic.source), packed(self.traffic.destination)
        return (self.source, self.destination) != ends or set(self.crossed) != {(self.name, self.traffic)}


@dataclass(frozen=True)
class Failure:
    """A packet that did what it should not: of which flow, of which kind, and what became of it.

    ``back`` is the flow from the server to the client, where the server speaks first.
    """

    flow: Flow
    kind: str
    became: str
    back: Flow | None = None

    def __str__(self) -> str:
        return f"{self.kind} packet {self.became}"


class Shot(NamedTuple):
    """A packet to send, whole or in fragments, and what has to become of it: the addresses with which it arrives, or None.

    ``back`` is as a failure has it.
    """

    flow: Flow
    start: str
    end: str
    way: tuple[str, ...]
    packets: tuple[bytes, ...]
    arrives: tuple[bytes, bytes] | None
    back: Flow | None = None


class Connection(NamedTuple):
    """A connection that was opened: its flow, its first packet as it was sent, and how that arrived."""

    flow: Flow
    first: Probe
    arrived: Seen

    def answer(self) -> Probe:
        """What the receiver of the first packet answers."""
        if self.arrived.is_fragment:
            ends = self.arrived.destination, self.arrived.source
            return self.first._replace(
                source=ends[0], destination=ends[1], sport=self.flow.port, dport=self.first.sport
            )
        return self.arrived.answer()


def needs_signals(flow: Flow) -> bool:
    """Whether ``Prober.signal`` sends something along a flow: it is between pods or to the outside by IPv6, and not translated."""
    ends = packed(flow.traffic.source), packed(flow.traffic.destination)
    return len(flow.source) == 16 and flow.path == "pod" and (flow.source, flow.destination) == ends


def server_may_begin(flow: Flow, turned: Flow) -> bool:
    """Whether ``Prober.turn`` can take a flow and the one back: one is denied, the other allowed, and nothing is translated."""
    translated = flow.translated or turned.translated
    return turned.allowed and not flow.allowed and bool(flow.traffic.port) and not translated
