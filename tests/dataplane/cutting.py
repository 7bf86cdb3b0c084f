"""Packets of connections that an agent has to cut, because the policy that changed denies them."""

from collections.abc import Sequence

from tests.dataplane.frames import DATA, PUSH_ACK, SCTP, TCP, Probe, packet
from tests.dataplane.probing import Prober
from tests.dataplane.shots import Connection, Shot


class CuttingProber(Prober):
    """A prober that also knows what none of may arrive."""

    def cut(self, opened: Sequence[Connection]) -> None:
        """Send what belongs to connections that an agent has to cut: replies, later packets, errors. None of it may arrive."""
        numbers = self._numbers(len(opened))
        shots = [self._back(one.flow, packet(one.answer(), n)) for one, n in zip(opened, numbers, strict=True)]
        self._fire("cut reply", [shot._replace(arrives=None) for shot in shots], numbers)
        numbers = self._numbers(len(opened))
        shots = [
            Shot(one.flow, one.flow.start, one.flow.end, one.flow.way, (packet(_next(one), number),), None)
            for one, number in zip(opened, numbers, strict=True)
        ]
        self._fire("cut later", shots, numbers)
        whole = [one for one in opened if not one.arrived.is_fragment]
        numbers = self._numbers(len(whole))
        shots = [self._error(one, number)._replace(arrives=None) for one, number in zip(whole, numbers, strict=True)]
        self._fire("cut error", shots, numbers)


def _next(one: Connection) -> Probe:
    """A packet of a connection after its first: of TCP and SCTP the next one that its server takes, else the same."""
    if one.first.protocol == SCTP:
        return one.first._replace(flags=DATA)
    if one.first.protocol != TCP:
        return one.first
    answer = one.answer()
    return one.first._replace(flags=PUSH_ACK, sequence=answer.acknowledged, acknowledged=answer.sequence + 1)
