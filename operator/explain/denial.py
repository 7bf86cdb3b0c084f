"""The answer to ``why-not`` as data: for each denying peering, why none of its allow rules decided."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from liqo_connectivity.engine import Absence, Explainer, pattern, why_not
from liqo_connectivity.operator.explain.answer import Answer
from liqo_connectivity.operator.explain.decisions import PeeringAnswer
from liqo_connectivity.operator.explain.parties import SIDES, parties

RELATIONS: Final = ("failed_clause",)
"""The relations that an explanation is read from, besides those of an answer."""


class Clause(NamedTuple):
    """A clause of a rule that fails: its kind, the object at fault, what is wanted, and what the object has instead."""

    kind: str
    object: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class AllowRule:
    """An allow rule of a policy: its parties (source, destination), and why each side that does not match fails.

    ``first`` tells that it precedes the deciding rule, so it would have decided if it matched. ``clauses`` are those of a
    side, or of ``ports``, that fail.
    """

    index: int
    parties: tuple[str, str]
    first: bool
    misses: tuple[tuple[str, Absence], ...]
    clauses: tuple[tuple[str, Clause], ...] = ()

    @property
    def matches(self) -> bool:
        """Whether the rule matches the flow."""
        return not self.misses and not self.clauses


@dataclass(frozen=True, slots=True)
class Denial:
    """A denying peering and the allow rules of its policy."""

    peering: PeeringAnswer
    rules: tuple[AllowRule, ...]


def denials_of(found: Answer, explainer: Explainer, depth: int) -> tuple[Denial, ...]:
    """Explain each denying peering; ``depth`` limits how many rules deep a failure is followed."""
    return tuple(_denial(explainer, peering, found, depth) for peering in found.peerings if peering.verdict == "denied")


def relations_used(denials: tuple[Denial, ...]) -> set[str]:
    """Give the relations that the explanations rest on."""
    absences = (absence for denial in denials for rule in denial.rules for _, absence in rule.misses)
    names: set[str] = set()
    return names.union(*(absence.relations() for absence in absences))


def _denial(explainer: Explainer, peering: PeeringAnswer, found: Answer, depth: int) -> Denial:
    model = explainer.model
    decided = peering.decision.rule if peering.decision else None
    allowing = [
        int(index) for owner, index, action in model.rows("rule") if (owner, action) == (peering.peering, "allow")
    ]
    rules: list[AllowRule] = []
    for index in allowing:
        goals = {side: pattern("side_matches", (peering.peering, index, side, found.flow.flow)) for side in SIDES}
        absences = {side: why_not(explainer, goal, depth) for side, goal in goals.items()}
        misses = tuple((side, absence) for side, absence in absences.items() if absence is not None)
        absent = dict(misses)
        failed = tuple(
            (str(side), Clause(*map(str, clause)))
            for owner, rule, side, flow, *clause in model.rows("failed_clause")
            if (owner, rule, flow) == (peering.peering, index, found.flow.flow) and side in (*absent, "ports")
        )
        named = parties(found.base, peering.policy, index)
        rules.append(AllowRule(index, named, decided is None or index < decided, misses, failed))
    return Denial(peering, tuple(rules))
