"""Why a tuple is missing, as a document: a flat list of goals, each once."""

from collections.abc import Mapping
from typing import Any

from liqo_connectivity.engine import Absence, Constant, Failure, Proof, format_body
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.document.proof import proof_document, rule_document
from liqo_connectivity.operator.explain.proof_steps import top_down


def absence_document(found: Absence, base: FactBase) -> dict[str, Any]:
    """Give the goals that nothing matches, and the proofs of tuples that should not hold.

    Goal 0 is the one asked about. A failure refers to the goal or proof that explains it by number. A goal's number is
    greater than those of all goals that lead to it.
    """
    goals = top_down([found], _goals_below)
    proofs = {id(why): why for goal in goals for failure in goal.failures if isinstance(why := failure.because, Proof)}
    number = {id(goal): position for position, goal in enumerate(goals)}
    number |= {key: position for position, key in enumerate(proofs)}
    return {
        "goals": [_goal(goal, number) for goal in goals],
        "proofs": [proof_document(proof, base) for proof in proofs.values()],
    }


def _goals_below(found: Absence) -> list[Absence]:
    return [failure.because for failure in found.failures if isinstance(failure.because, Absence)]


def _goal(found: Absence, number: Mapping[int, int]) -> dict[str, Any]:
    return {
        "goal": number[id(found)],
        "text": str(found),
        "relation": found.goal.relation,
        "row": [term.value if isinstance(term, Constant) else None for term in found.goal.terms],
        "reason": found.reason,
        "failures": [_failure(failure, number) for failure in found.failures],
        "otherRules": len(found.others),
    }


def _failure(failure: Failure, number: Mapping[int, int]) -> dict[str, Any]:
    why = failure.because
    kind = "goal" if isinstance(why, Absence) else "proof"
    return {
        "rule": rule_document(failure.rule),
        "holds": [format_body(item) for item in failure.holding],
        "fails": str(failure),
        "because": {kind: number[id(why)]} if why else None,
        "complete": failure.complete,
    }
