"""The rows of a query as a table, with the proofs below each, or why there is none."""

import json

from liqo_connectivity.engine import Absence, Absent, Premise, Proof, Value
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.proof_steps import caveat
from liqo_connectivity.operator.explain.text.absence import failure_lines
from liqo_connectivity.operator.explain.text.proof import proof_lines


def table_lines(columns: tuple[str, ...], rows: list[tuple[Value, ...]]) -> list[str]:
    """Lay rows out under their columns; a goal without variables has the one column ``true``."""
    texts = [columns or ("true",), *((tuple(map(_printable, row)) or ("yes",)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def _printable(value: Value) -> str:
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def row_proof_lines(proof: Proof, base: FactBase) -> list[str]:
    """Lay out the proofs of the literals that a row satisfies."""
    lines = [*caveat(proof), *(line for premise in proof.premises for line in _premise_lines(premise, base))]
    return [f"  {line}" for line in lines]


def _premise_lines(premise: Premise, base: FactBase) -> list[str]:
    if isinstance(premise, Proof):
        return proof_lines(premise, base)
    return [f"{'not found' if isinstance(premise, Absent) else 'true'}: {premise}"]


def no_row_lines(reason: Absence, base: FactBase) -> list[str]:
    """Explain why no row satisfies the goal."""
    return ["no row:", *(f"  {line}" for line in failure_lines(reason, base))]
