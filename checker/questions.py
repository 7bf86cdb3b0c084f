"""The questions that a certificate is about: a flow as a fact, and its destination port, which its name holds too.

A certificate about all ports answers one question for each class of ports; its first port stands for the class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dump import row_of
from liqo_connectivity.checker.functors import address_family
from liqo_connectivity.checker.proof import RejectedError, fields_of
from liqo_connectivity.checker.syntax import Row

Port = tuple[int, str]
"""A number and a protocol; 0 of icmp and of other."""

_WITH_PORTS: Final = ("tcp", "udp", "sctp")
_WITHOUT: Final = ("icmp", "other")
REST: Final = ("other", 0, 65535)
"""The class of the traffic that no other class holds."""
WORST: Final = ("denied", "unknown", "allowed")
"""The verdicts, in the order in which one of several counts."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question: its flow as a row, and its port."""

    flow: Row
    port: Port | None

    @property
    def name(self) -> str:
        """Give the name of the flow."""
        return str(self.flow[0])


def question(source: str, destination: str, state: str, port: Port | None) -> Question:
    """Make a question; its name says what it is about."""
    name = f"{source} -> {destination}"
    if port is not None:
        number, protocol = port
        name += f" {protocol}" if protocol in _WITHOUT else f" {protocol}/{number}"
    return Question((name, source, destination, state), port)


def other_question(row: object, state: str) -> Question | None:
    """Read another question that was asked about together with this one, since proofs may mention it.

    It is named by what it is about, so that it cannot say anything about the question of the certificate.
    """
    found = row_of(row, ("symbol",) * 4)
    if found is None:
        return None
    name, source, destination, asked = map(str, found)
    if asked != state or not (address_family(source) and address_family(destination)):
        return None
    start = f"{source} -> {destination}"
    port = _port(name.removeprefix(f"{start} "))
    other = question(source, destination, state, port)
    return other if other.name == name else None


def _port(text: str) -> Port | None:
    if text in _WITHOUT:
        return 0, text
    protocol, _, number = text.partition("/")
    # The question that is made of it has to have this name, so other digits and zeros in front say nothing.
    known = protocol in _WITH_PORTS and number.isascii() and number.isdigit() and len(number) <= 5
    return (int(number), protocol) if known else None


@dataclass(frozen=True, slots=True)
class PortClass:
    """An entry of ``ports``: its fields, its pointer, its class of ports, and its verdict."""

    fields: Mapping[str, object]
    place: str
    ports: tuple[str, int, int]
    verdict: str

    def asked(self, source: str, destination: str, state: str) -> Question:
        """Give the question about its first port."""
        protocol, first, _ = self.ports
        return question(source, destination, state, (first, protocol))


def port_classes(answer: Mapping[str, object], start: str) -> list[PortClass]:
    """Read the classes of ports of an answer, none if it is about one port. Raises RejectedError.

    ``start`` is the pointer of the answer.
    """
    entries = answer.get("ports", [])
    found: list[PortClass] = []
    for number, entry in enumerate(cast("list[object]", entries) if isinstance(entries, list) else ()):
        place = f"{start}/ports/{number}"
        fields = fields_of(entry, place)
        row = row_of([fields.get(name) for name in ("protocol", "first", "last")], ("symbol", "number", "number"))
        verdict = fields.get("verdict")
        if row is None or verdict not in WORST:
            raise RejectedError(place, "", "a class of ports and its verdict are needed")
        protocol, first, last = row
        found.append(PortClass(fields, place, (str(protocol), int(first), int(last)), str(verdict)))
    return found


def check_classes(classes: Sequence[PortClass], place: str, whole: Question, follows: Consequences) -> None:
    """Check that the classes are those that rules tell apart, each once, and the rest. Raises RejectedError.

    ``whole`` is the question that they divide, without a port, and ``place`` the pointer of its answer.
    """
    told = [row[1:] for row in sorted(follows.rows("port_class")) if row[0] == whole.name]
    known = {*told, REST} if told else set[object]()
    named = [each.ports for each in classes]
    for each in classes:
        if each.ports not in known or named.count(each.ports) > 1:
            raise RejectedError(each.place, str(each.ports), "rules do not tell these ports apart, or they come twice")
    if len(classes) != len(known):
        raise RejectedError(f"{place}/ports", "", "a class of ports is left out")


def deciding(classes: Sequence[PortClass]) -> PortClass:
    """Give the class that the top of an answer is about: with the worst verdict, and of several the rest or the first."""
    return min(classes, key=lambda each: (WORST.index(each.verdict), each.ports != REST))
