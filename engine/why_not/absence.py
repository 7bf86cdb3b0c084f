"""An explanation of a missing tuple as data: the rules that could derive it, and the failing literal of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from liqo_connectivity.engine.proofs.proof import Absent, Proof
from liqo_connectivity.engine.syntax.nodes import Atom, Constant, Literal_, Rule, Value, Wildcard
from liqo_connectivity.engine.syntax.printer import format_atom, format_body

Reason = Literal["asserted", "derived", "depth", "above"]


class Failure(NamedTuple):
    """A rule that could derive a goal but fails.

    ``holding`` lists the literals that hold together, with their values, in lookup order; ``failing`` is the first
    that does not hold; a variable left in it stands for any value. ``because`` explains it: the absence of a missing
    tuple, or the proof of a tuple that a negation forbids or that has the value of a ``min`` or ``max``; ``None`` for
    other comparisons. ``complete`` is false if the budget ended before all values were tried.
    """

    rule: Rule
    holding: tuple[Literal_, ...]
    failing: Literal_
    because: "Absence | Proof | None"
    complete: bool

    def __str__(self) -> str:
        return format_body(self.failing)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Absence:
    """A goal that no tuple matches.

    ``reason`` is ``asserted`` if no rule derives the relation, so a fact is missing; ``derived`` if each rule in
    ``failures`` fails, the one that gets furthest first, and those in ``others`` derive only other tuples; ``depth`` if
    rules could derive the goal and were not examined; ``above`` if this is part of an explanation of the same goal.
    Explanations share common parts; walks and comparisons visit each shared part once.
    """

    goal: Atom
    reason: Reason
    failures: tuple[Failure, ...] = ()
    others: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        return format_atom(self.goal)

    def __repr__(self) -> str:
        return f"<Absence of {self}, {self.reason}>"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Absence) and self._steps() == other._steps())

    def __hash__(self) -> int:
        return hash((self.goal, self.reason, self.others))

    def _steps(self) -> list[object]:
        """List the absences in the order of ``walk``, with those that explain a failure as positions in that list."""
        found = list(self.walk())
        number = {id(absence): position for position, absence in enumerate(found)}
        steps: list[object] = []
        for absence in found:
            failures = [
                (f.rule, f.holding, f.failing, number[id(f.because)] if isinstance(f.because, Absence) else f.because)
                for f in absence.failures
            ]
            complete = [failure.complete for failure in absence.failures]
            steps.append((absence.goal, absence.reason, failures, complete, absence.others))
        return steps

    def walk(self) -> "Iterator[Absence]":
        """Yield this absence and all those that explain it, shared ones once."""
        seen: set[int] = set()
        stack: list[Absence] = [self]
        while stack:
            absence = stack.pop()
            if id(absence) in seen:
                continue
            seen.add(id(absence))
            yield absence
            stack.extend(f.because for f in reversed(absence.failures) if isinstance(f.because, Absence))

    def relations(self) -> set[str]:
        """Return the relations that the explanation rests on."""
        found = list(self.walk())
        proofs = {id(f.because): f.because for a in found for f in a.failures if isinstance(f.because, Proof)}
        names = {absence.goal.relation for absence in found}
        for proof in proofs.values():
            names |= {node.relation for node in proof.walk() if isinstance(node, Proof | Absent)}
        return names


def pattern(relation: str, row: Sequence[Value | None]) -> Atom:
    """Make a goal from the values of its columns; ``None`` stands for any value."""
    return Atom(relation, tuple(Wildcard() if value is None else Constant(value) for value in row))
