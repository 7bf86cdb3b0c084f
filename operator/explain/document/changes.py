"""The changes between two states as plain values for JSON and YAML."""

from liqo_connectivity.operator.explain.changes import Change, Comparison
from liqo_connectivity.operator.explain.document.matrix import deciders_document
from liqo_connectivity.operator.explain.pairs import Decision
from liqo_connectivity.operator.explain.parties import ports_text


def changes_document(found: Comparison) -> dict[str, object]:
    """Give how the states compare, and each change."""
    return {
        "relation": found.relation,
        "changes": [_change(change) for change in found.changes],
        "undecidedPairs": found.undecided,
        "onlyBefore": list(found.only_before),
        "onlyAfter": list(found.only_after),
        "withoutAddress": list(found.without_address),
    }


def _change(change: Change) -> dict[str, object]:
    source, destination = change.example
    return {
        "kind": change.kind,
        "ports": [ports_text([each]) for each in change.ports],
        "before": _decision(change.before),
        "after": _decision(change.after),
        "pairs": change.pairs,
        "example": {"source": source, "destination": destination},
        "flows": [{"sources": list(s), "destinations": list(d)} for s, d in change.flows],
    }


def _decision(decision: Decision) -> dict[str, object]:
    return {"verdict": decision.verdict, "decidedBy": deciders_document(decision)}
