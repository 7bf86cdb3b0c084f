"""The matrix of a preset in lines: a table of verdicts, and below it the cells that hold several verdicts."""

from typing import Final

from liqo_connectivity.facts import one_line
from liqo_connectivity.operator.explain.matrix import Cell, Matrix, Outcome
from liqo_connectivity.operator.sources.question import OTHER

_MIXED: Final = "mixed"
LEGEND: Final = (
    "Each cell has the number of the rule that decides, * for the default, or - where no policy governs the connection. "
    "Established connections and their answers always pass."
)
"""What the marks of the table mean."""


def matrix_lines(found: Matrix, peering: str) -> list[str]:
    """Lay the matrix out, for the policy of a peering."""
    own = f"@{peering}"
    cells = {(cell.source, cell.destination): cell for cell in found.cells}
    labels = {name: one_line(name.removesuffix(own)) for name in found.groups}
    rows = [["from \\ to", *labels.values()]]
    rows += [[labels[s], *(_cell(cells.get((s, d)), peering) for d in found.groups)] for s in found.groups]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    mixed = [cell for cell in found.cells if len(_verdicts(cell)) > 1]
    if mixed:
        lines += ["", "The mixed ones:"]
    lines += [f"{labels[cell.source]} -> {labels[cell.destination]}: {_outcomes(cell, peering)}" for cell in mixed]
    if found.empty:
        lines += ["", f"Without members: {', '.join(name.removesuffix(own) for name in found.empty)}."]
    if found.not_shown:
        lines.append(f"{found.not_shown} more peerings are not shown.")
    return lines


def _verdicts(cell: Cell) -> list[str]:
    return list(dict.fromkeys(outcome.verdict for outcome in cell.outcomes))


def _cell(cell: Cell | None, peering: str) -> str:
    """Say a cell: the verdict and what decides it, if that is the same for all."""
    if cell is None:
        return ""
    first, *others = cell.outcomes
    if others or cell.verdict == "unknown":
        return cell.verdict if len(_verdicts(cell)) == 1 else _MIXED
    return f"{cell.verdict} {' '.join(_marks(first, peering))}"


def _marks(outcome: Outcome, peering: str) -> list[str]:
    marks = (
        ("*" if origin == "default" else str(index)) + ("" if owner == peering else f"@{one_line(owner)}")
        for owner, origin, index in outcome.by
    )
    return [*marks] or ["-"]


def _outcomes(cell: Cell, peering: str) -> str:
    """Say all that may happen: what allows or denies, and on which ports."""
    return "; ".join(_outcome(outcome, peering) for outcome in cell.outcomes)


def _outcome(outcome: Outcome, peering: str) -> str:
    ports = " and ".join(outcome.ports)
    what = f" {'all other ports' if OTHER in outcome.ports else ports}" if ports else ""
    if outcome.verdict == "unknown":
        return f"unknown{what}"
    if not outcome.by:
        return f"{outcome.verdict}{what} where no policy governs"
    deciders = [
        ("the default" if origin == "default" else f"rule {index}")
        + ("" if owner == peering else f" of {one_line(owner)}")
        for owner, origin, index in outcome.by
    ]
    one, several = {"allowed": ("allows", "allow"), "denied": ("denies", "deny")}[outcome.verdict]
    return f"{' and '.join(deciders)} {several if len(deciders) > 1 else one}{what}"
