"""A matrix as plain values for JSON and YAML."""

from collections.abc import Mapping

from liqo_connectivity.operator.explain.ends import End
from liqo_connectivity.operator.explain.matrix import Matrix, Outcome
from liqo_connectivity.operator.explain.pairs import Decision
from liqo_connectivity.operator.explain.parties import ports_text


def cells_document(found: Matrix) -> list[dict[str, object]]:
    """Give the cells, each with its outcomes."""
    return [
        {
            "source": cell.source,
            "destination": cell.destination,
            "verdict": cell.verdict,
            "outcomes": [outcome_document(outcome) for outcome in cell.outcomes],
        }
        for cell in found.cells
    ]


def outcome_document(outcome: Outcome) -> dict[str, object]:
    """Give an outcome: on which ports, what decides it, how many pairs of ends have it, and one of them."""
    source, destination = outcome.example
    return {
        "verdict": outcome.verdict,
        "ports": sorted(ports_text([each]) for each in outcome.ports),
        "decidedBy": deciders_document(outcome.decision),
        "pairs": outcome.pairs,
        "example": {"source": source, "destination": destination},
    }


def deciders_document(decision: Decision) -> list[dict[str, object]]:
    """Give what decides: the peering, and its rule or default."""
    return [_decider(*each) for each in decision.by]


def _decider(peering: str, origin: str, index: int) -> dict[str, object]:
    return {"peering": peering, "origin": origin, **({"rule": index} if origin == "rule" else {})}


def matrix_document(
    found: Matrix, by: str, parties: Mapping[str, tuple[End, ...]], without: tuple[str, ...]
) -> dict[str, object]:
    """Give a matrix, with what its parties hold: pods, and addresses that stand for others."""
    shown = [party for party in parties if party in {*found.sources, *found.destinations}]
    return {
        "by": by,
        "parties": [{"name": party, "ends": [end.name for end in parties[party]]} for party in shown],
        "withoutAddress": list(without),
        "cells": cells_document(found),
    }
