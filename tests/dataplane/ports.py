"""The places from which probes start and where they end."""

from dataclasses import dataclass, field

_IP4, _IP6 = b"\x08\x00", b"\x86\xdd"


@dataclass(frozen=True)
class Port:
    """A place from which probes start and where they end: the far end of a cable of a node, or the node itself."""

    name: str
    number: int
    device: int
    there: str
    """The device of its node; empty for the node itself."""
    hop: str
    """By which next hop the node sends to it; see ``routes``."""
    head: bytes | None
    """The link addresses of its frames; None if they are packets of a host."""
    fences: tuple[bytes, bytes]
    """Addresses here that no policy concerns, of IPv4 and IPv6."""
    straight: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The link addresses of frames to what is on the same bridge."""

    def frame(self, whole: bytes) -> bytes:
        """An IP packet as it is sent here."""
        if self.head is None:
            return whole
        if self.straight:
            to = whole[16:20] if whole[0] >> 4 == 4 else whole[24:40]
            return self.straight.get(to, self.head) + (_IP4 if whole[0] >> 4 == 4 else _IP6) + whole
        return self.head + (_IP4 if whole[0] >> 4 == 4 else _IP6) + whole
