"""The pairs of addresses that a certificate is about: that at its top, and the others if it holds them all."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import cast

from liqo_connectivity.checker.ends import End, Pair
from liqo_connectivity.checker.proof import RejectedError, fields_of
from liqo_connectivity.checker.questions import WORST, PortClass, Question, deciding, port_classes, question


class NotShownError(Exception):
    """The certificate neither proves nor disproves a claim."""


@dataclass(frozen=True, slots=True)
class PairClaim:
    """What a certificate says about a pair of addresses: its fields and their pointer, both ends, and its classes of ports."""

    fields: Mapping[str, object]
    place: str
    source: End
    destination: End
    state: str
    classes: Sequence[PortClass]

    @property
    def addresses(self) -> tuple[str, str, str]:
        """Give both addresses and the state of the connection."""
        return str(self.source.address), str(self.destination.address), self.state

    @property
    def pair(self) -> Pair:
        """Give both addresses, and the port to which nodes rewrite that of a Service."""
        return str(self.source.address), str(self.destination.address), self.destination.target

    @property
    def whole(self) -> Question:
        """Give the question about the port that is asked about, or about all ports at once."""
        return question(*self.addresses, self.destination.flow_port)

    @property
    def asked(self) -> Question:
        """Give the question that the claim is about: of several classes of ports, that with the worst verdict."""
        return deciding(self.classes).asked(*self.addresses) if self.classes else self.whole

    def questions(self) -> Iterator[Question]:
        """Give every question that is behind the claim."""
        yield self.whole
        yield from (each.asked(*self.addresses) for each in self.classes)

    def parts(self) -> Iterator[tuple[Mapping[str, object], str, Question]]:
        """Give the fields, the pointer and the question of each part that makes claims about a flow."""
        yield self.fields, self.place, self.asked
        yield from ((each.fields, each.place, each.asked(*self.addresses)) for each in self.classes)


def read_pairs(answer: Mapping[str, object], source: End, destination: End, state: str) -> list[PairClaim]:
    """Read the claim at the top, and those about other pairs. Raises RejectedError for a malformed one."""
    found = [PairClaim(answer, "", source, destination, state, port_classes(answer, ""))]
    for number, entry in enumerate(cast("list[object]", answer.get("otherPairs", []))):
        place = f"/otherPairs/{number}"
        fields = fields_of(entry, place)
        start = replace(source, place=f"{place}/source", address=str(fields["source"]))
        target = cast("int | None", fields.get("targetPort"))
        end = replace(destination, place=f"{place}/destination", address=str(fields["destination"]), target=target)
        found.append(PairClaim(fields, place, start, end, state, port_classes(fields, place)))
    return found


def check_pairs(
    answer: Mapping[str, object], claims: Sequence[PairClaim], meant: AbstractSet[Pair], verdict: str
) -> None:
    """Check the verdict and the counts of pairs at the top against the pairs that the question is about.

    Those are none if an end is a group. Raises RejectedError, and NotShownError for a verdict that hangs on pairs which the
    certificate does not hold.
    """
    counts = {name: cast("int", number) for name, number in fields_of(answer.get("pairs"), "/pairs").items()}
    if not counts[verdict]:
        raise RejectedError("/pairs", str(counts), "the verdict is that of no pair")
    known = [claim.pair for claim in claims]
    if len(claims) > 1 and set(known) != meant:
        raise RejectedError("/otherPairs", "", "these are not all other pairs of addresses that the question is about")
    if len(set(known)) != len(known):
        raise RejectedError("/otherPairs", "", "a pair of addresses comes twice")
    if len(known) == len(meant):
        found = Counter(str(claim.fields["verdict"]) for claim in claims)
        if counts != {name: found[name] for name in WORST}:
            problem = "the pairs have other verdicts" if len(known) > 1 else "there is one pair of addresses"
            raise RejectedError("/pairs", str(counts), problem)
        if verdict != min(found, key=WORST.index):
            raise RejectedError("/verdict", verdict, "it is not the worst of all pairs of addresses")
    elif verdict != "denied":
        shown = f"one pair of addresses is shown to be {verdict}, and not that every other one is"
        raise NotShownError(f"{shown}: of pairs that it does not hold, a certificate shows a denial only")
