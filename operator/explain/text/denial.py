"""The answer to ``why-not`` as text."""

from collections.abc import Iterator

from liqo_connectivity.operator.explain.answer import SIDES, Answer
from liqo_connectivity.operator.explain.denial import Denial
from liqo_connectivity.operator.explain.text.absence import failure_lines
from liqo_connectivity.operator.explain.text.answer import deciding, headlines


def denials_lines(found: Answer, denials: tuple[Denial, ...], full: bool) -> list[str]:
    """Lay the explanation out; ``full`` shows every rule that fails."""
    lines = headlines(found)
    for denial in denials:
        lines += ["", deciding(denial.peering, found)]
        lines += [f"  {line}" for line in _denial(denial, found, full)]
    others = [p.peering for p in found.peerings if p.verdict != "denied"]
    return [*lines, "", f"not denied by: {', '.join(others)}"] if others else lines


def _denial(denial: Denial, found: Answer, full: bool) -> Iterator[str]:
    ends = {"source": found.flow.source, "destination": found.flow.destination}
    before = [rule for rule in denial.rules if rule.first]
    if not before:
        yield "no rule before it allows anything"
    for rule in before:
        yield f"rule {rule.index} (allow {' -> '.join(rule.parties)}) does not match:"
        for side, absence in rule.misses:
            party = rule.parties[SIDES.index(side)]
            yield f"  {side} {ends[side]} is not in {party}:"
            yield from (f"    {line}" for line in failure_lines(absence, found.base, full=full))
    for rule in denial.rules:
        if not rule.first and not rule.misses:
            yield f"rule {rule.index} (allow {' -> '.join(rule.parties)}) matches, but comes later"
