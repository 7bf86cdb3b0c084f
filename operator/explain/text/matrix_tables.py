"""A matrix as tables for other programs: Markdown for tickets, and CSV with a row for each outcome."""

import csv
import io
from collections.abc import Mapping
from typing import Final

from liqo_connectivity.operator.explain.matrix import Matrix
from liqo_connectivity.operator.explain.text.matrix import cell_text, decider_texts, ports_said

_COLUMNS: Final = (
    "source",
    "destination",
    "verdict",
    "ports",
    "decided by",
    "pairs",
    "example source",
    "example destination",
)
_FORMULA: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


def markdown_lines(found: Matrix, labels: Mapping[str, str]) -> list[str]:
    """Lay out the table in Markdown."""
    cells = {(cell.source, cell.destination): cell for cell in found.cells}
    rows = [["from / to", *(labels[d] for d in found.destinations)]]
    rows.append(["---"] * len(rows[0]))
    rows += [[labels[s], *(cell_text(cells.get((s, d)), "") for d in found.destinations)] for s in found.sources]
    return [f"| {' | '.join(cell.replace('|', '&#124;').replace('*', '&#42;') for cell in row)} |" for row in rows]


def csv_text(found: Matrix) -> str:
    """Write a row for each outcome of each cell, below a row of headings."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for cell in found.cells:
        for each in cell.outcomes:
            ports = ports_said(each.ports) if each.ports else ""
            by = ", ".join(decider_texts(each.decision.by, ""))
            row = (cell.source, cell.destination, each.verdict, ports, by, str(each.pairs), *each.example)
            writer.writerow([f"'{text}" if text.startswith(_FORMULA) else text for text in row])
    return out.getvalue().rstrip("\n")
