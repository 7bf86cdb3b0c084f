"""A matrix in lines: a table of verdicts, and below it the cells that hold several verdicts."""

from collections.abc import Iterable, Mapping
from typing import Final

from liqo_connectivity.facts import one_line
from liqo_connectivity.operator.explain.matrix import Cell, Matrix, Outcome
from liqo_connectivity.operator.explain.pairs import PROTOCOLS
from liqo_connectivity.operator.explain.parties import ports_or_rest
from liqo_connectivity.operator.sources.question import Ports

_MIXED: Final = "mixed"
_CORNER: Final = "from \\ to"
_WIDE: Final = 130
"""Columns of text from which a table has numbers in place of the names of its columns."""
LEGEND: Final = (
    "Each cell has the number of the rule that decides, * for the default, or - where no policy governs the connection. "
    "Established connections and their answers always pass."
)
"""What the marks of the table mean."""


def group_lines(found: Matrix, peering: str) -> list[str]:
    """Lay out the matrix of a peering's groups."""
    own = f"@{peering}"
    lines = _lines(found, {name: one_line(name.removesuffix(own)) for name in found.sources}, peering)
    if found.empty:
        lines += ["", f"Without members: {', '.join(name.removesuffix(own) for name in found.empty)}."]
    if found.not_shown:
        lines.append(f"{found.not_shown} more peerings are not shown.")
    return lines


def matrix_lines(found: Matrix, labels: Mapping[str, str]) -> list[str]:
    """Lay out a matrix, with the label of each party. Rules are named with their peering if several peerings decide."""
    deciding = {owner for cell in found.cells for outcome in cell.outcomes for owner, *_ in outcome.decision.by}
    return _lines(found, labels, deciding.pop() if len(deciding) == 1 else "", with_examples=True)


def _lines(found: Matrix, labels: Mapping[str, str], peering: str, *, with_examples: bool = False) -> list[str]:
    cells = {(cell.source, cell.destination): cell for cell in found.cells}
    body = [[cell_text(cells.get((s, d)), peering) for d in found.destinations] for s in found.sources]
    lines = _table([labels[s] for s in found.sources], [labels[d] for d in found.destinations], body)
    mixed = [cell for cell in found.cells if len(_verdicts(cell)) > 1]
    if mixed:
        lines += ["", "The mixed ones:"]
    for cell in mixed:
        place = f"{labels[cell.source]} -> {labels[cell.destination]}"
        if with_examples:
            lines += [f"{place}:", *(f"  {_outcome(each, peering)}{_counted(each)}" for each in cell.outcomes)]
        else:
            lines.append(f"{place}: {_folded(cell, peering)}")
    return lines


def _table(sources: list[str], destinations: list[str], body: list[list[str]]) -> list[str]:
    rows = [[_CORNER, *destinations], *([label, *cells] for label, cells in zip(sources, body, strict=True))]
    lines = _laid_out(rows)
    if max(map(len, lines)) <= _WIDE or sources != destinations:
        return lines
    heads = [f"{number} {label}" for number, label in enumerate(sources, 1)]
    numbers = [str(number) for number, _ in enumerate(sources, 1)]
    return _laid_out([[_CORNER, *numbers], *([head, *cells] for head, cells in zip(heads, body, strict=True))])


def _laid_out(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _verdicts(cell: Cell) -> list[str]:
    return list(dict.fromkeys(outcome.verdict for outcome in cell.outcomes))


def cell_text(cell: Cell | None, peering: str) -> str:
    """Say a cell: the verdict and what decides it, if that is the same for all."""
    if cell is None:
        return ""
    deciders = {outcome.decision.by for outcome in cell.outcomes}
    if len(_verdicts(cell)) > 1:
        return _MIXED
    if len(deciders) > 1 or cell.verdict == "unknown":
        return cell.verdict
    return f"{cell.verdict} {' '.join(_marks(cell.outcomes[0], peering))}"


def _marks(outcome: Outcome, peering: str) -> list[str]:
    marks = (
        ("*" if origin == "default" else str(index)) + ("" if owner == peering else f"@{one_line(owner)}")
        for owner, origin, index in outcome.decision.by
    )
    return [*marks] or ["-"]


def _folded(cell: Cell, peering: str) -> str:
    """Say all that may happen, with the ports that have one decision together."""
    groups: dict[object, list[Outcome]] = {}
    for outcome in cell.outcomes:
        groups.setdefault(outcome.decision, []).append(outcome)
    return "; ".join(
        _outcome(some[0]._replace(ports=tuple(sorted({p for each in some for p in each.ports}))), peering)
        for some in groups.values()
    )


def _outcome(outcome: Outcome, peering: str) -> str:
    """Say what allows or denies, and on which ports."""
    what = f" {ports_said(outcome.ports)}" if outcome.ports else ""
    if outcome.verdict == "unknown":
        return f"unknown{what}"
    if not outcome.decision.by:
        return f"{outcome.verdict}{what} where no policy governs"
    deciders = decider_texts(outcome.decision.by, peering)
    one, several = {"allowed": ("allows", "allow"), "denied": ("denies", "deny")}[outcome.verdict]
    return f"{' and '.join(deciders)} {several if len(deciders) > 1 else one}{what}"


def decider_texts(by: Iterable[tuple[str, str, int]], peering: str) -> list[str]:
    """Name what decides: rules and defaults, of their peering unless it is ``peering``."""
    return [
        ("the default" if origin == "default" else f"rule {index}")
        + ("" if owner == peering else f" of {one_line(owner)}")
        for owner, origin, index in by
    ]


def ports_said(ports: Iterable[Ports]) -> str:
    """Write the ports of an outcome in few words."""
    return ports_or_rest(ports, PROTOCOLS)


def _counted(outcome: Outcome) -> str:
    source, destination = outcome.example
    pairs = f"{outcome.pairs} pair{'s' if outcome.pairs > 1 else ''}"
    return f" ({pairs}, {'such as ' if outcome.pairs > 1 else ''}{one_line(source)} {one_line(destination)})"
