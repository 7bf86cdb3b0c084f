"""The changes between two states in lines: how the states compare, then each change with what decides before and after."""

from typing import Final

from liqo_connectivity.facts import one_line
from liqo_connectivity.operator.explain.changes import Change, Comparison
from liqo_connectivity.operator.explain.pairs import Decision
from liqo_connectivity.operator.explain.parties import few
from liqo_connectivity.operator.explain.text.matrix import decider_texts, ports_said

_RELATIONS: Final = {
    "equal": "No verdict changes.",
    "more permissive": "More permissive: what changes was denied and is allowed.",
    "less permissive": "Less permissive: what changes was allowed and is denied.",
    "incomparable": "Neither is more permissive: some flows are opened, others closed.",
    "unknown": "How they compare is unknown, because some verdicts are.",
}


def changes_lines(found: Comparison) -> list[str]:
    """Lay the changes out."""
    lines = [_RELATIONS[found.relation]]
    for change in found.changes:
        lines += ["", *_change_lines(change)]
    if found.undecided:
        lines += ["", f"Undecided before or after, for lack of objects: {_pairs(found.undecided)}."]
    for pods, which in ((found.only_before, "before"), (found.only_after, "after")):
        if pods:
            lines += ["", f"Only {which}, so not compared: {few([*map(one_line, pods)])}."]
    return lines


def _change_lines(change: Change) -> list[str]:
    source, destination = map(one_line, change.example)
    ports = f" on {ports_said(change.ports)}" if change.ports else ""
    example = f"such as {source} -> {destination}" if change.pairs > 1 else f"{source} -> {destination}"
    return [
        f"{change.kind}: {_pairs(change.pairs)}{ports}, {example}",
        f"  before: {_decision(change.before)}",
        f"  after:  {_decision(change.after)}",
    ]


def _decision(decision: Decision) -> str:
    deciders = " and by ".join(decider_texts(decision.by, ""))
    if decision.verdict == "unknown":
        unseen = f"packets may pass where no chain sees them, and {deciders} decides" if deciders else ""
        why = unseen if decision.is_certain and unseen else "too little is known"
        return f"unknown: {why}"
    return f"{decision.verdict} by {deciders}" if deciders else f"{decision.verdict}, no policy governs"


def _pairs(count: int) -> str:
    return f"{count} pair{'s' if count != 1 else ''}"
