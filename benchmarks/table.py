"""The table of the engine's figures: each row with its limits, and the ratios that judge it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.rebuild import chosen

Measured = Mapping[str, Mapping[str, Any]]
"""By column (a program of ours, or another engine) what its child measured, by row."""
OURS: Final = ("synthetic", "policy")
"""The columns of our database; other engines derive the synthetic program."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its key, what it says, and what our numbers must be at most, and should be."""

    key: str
    title: str
    must: tuple[float, ...] = ()
    aim: tuple[float, ...] = ()


LINES: Final = (
    Line("bulk", "bulk load and evaluate, s", (2.5,), (1.6,)),
    Line("event", "one pod event, p50 / p99, µs", (80, 400), (50, 220)),
    Line("event_asked", "the same, prepared for questions, µs"),
    Line("growth", "event p50, to that with few pods", (1.5,), (1.3,)),
    Line("burst", "1,000 events in one transaction, µs each", (45,), (30,)),
    Line("wide", "dearest wide event, µs per changed row", (4,), (2.5,)),
    Line("memory", "memory over the facts, KB per pod", (3,), (2.3,)),
    Line("why", "proof, p50 / p99, µs", (100, 1000), (30, 300)),
    Line("why_first", "first proof after the load, ms", (50,)),
    Line("why_not", "why-not to depth 3, p50 / p99, ms", (5, 5), (1, 1)),
    Line("prepare", "preparing the first changes, s"),
    Line("event_rows", "rows that a pod event changes"),
    Line("rebuild", "share to rebuild at, deleted / inserted"),
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our first number of a row divided by another, and its limit: what judges, since machines differ."""

    row: str
    column: str
    against: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.value <= self.limit


JUDGED: Final = 100_000
"""With how many pods at least the limits mean anything."""
LIMITS: Final = {("bulk", "SQLite"): 0.65, ("bulk", "DuckDB"): 1.3, ("event", "DuckDB"): 1 / 3000}


def ratios(measured: Measured) -> list[Ratio]:
    """Give the ratios that have a limit, as far as both sides were measured."""
    found = [
        Ratio(row, "synthetic", other, measured["synthetic"][row][0] / measured[other][row][0], limit)
        for (row, other), limit in LIMITS.items()
        if other in measured
    ]
    limit = next(line.must[0] for line in LINES if line.key == "growth")
    return found + [Ratio("growth", name, "few pods", measured[name]["growth"][0], limit) for name in OURS]


def as_json(measured: Measured) -> dict[str, Any]:
    """Give the cluster's size and an object for each row: values by column, limits and ratios with the columns that keep them."""
    found: dict[str, Any] = {"cluster": {key: measured["synthetic"][key] for key in ("pods", "facts", "derived")}}
    for line in LINES:
        values = {name: figures[line.key] for name, figures in measured.items() if line.key in figures}
        row: dict[str, Any] = {"what": line.title, "values": values}
        for word, limits in (("must", line.must), ("aim", line.aim)):
            if limits:
                kept = {name: keeps(value, limits) for name, value in values.items() if name in OURS}
                row[word] = {"at_most": list(limits), "kept": kept}
        judged = [ratio for ratio in ratios(measured) if ratio.row == line.key]
        if judged:
            row["ratios"] = [
                {"of": r.column, "to": r.against, "ratio": r.value, "at_most": r.limit, "kept": r.holds} for r in judged
            ]
        found[line.key] = row
    found["rebuild"]["chosen"] = chosen()
    found["wide"]["events"] = {name: measured[name]["wide_events"] for name in OURS}
    return found


def as_text(measured: Measured, judged: bool) -> str:
    """Write the rows as lines with a column for each engine, then wide events, then the ratios, ``judged`` or not."""
    columns = list(measured)
    lines = [f"{'':42}" + "".join(f"{name:>17}" for name in columns) + f"{'must':>13}{'aim':>12}"]
    for line in LINES:
        cells = [numbers(measured[name].get(line.key, ())) for name in columns]
        marks = [mark(measured[name].get(line.key, ()), line) if judged and name in OURS else "  " for name in columns]
        row = "".join(f"{cell + mark:>17}" for cell, mark in zip(cells, marks, strict=True))
        lines.append(f"{line.title:42}{row}{numbers(line.must):>13}{numbers(line.aim):>12}")
    shares = "a share of {:.2f} deleted or {:.2f} inserted".format(*chosen())
    lines += ["", "! more than it must be   * as aimed", f"The database rebuilds itself from {shares} on."]
    for name in OURS:
        for event, (there, back, rows) in measured[name]["wide_events"].items():
            lines.append(f"{name}: {event}, {rows} rows: {there:.2f} µs per row, and back {back:.2f}")
    lines.append("")
    for ratio in ratios(measured):
        verdict = ("kept" if ratio.holds else "MISSED") if judged else f"not judged with fewer than {JUDGED:,} pods"
        value, limit = (f"1/{1 / n:,.0f}" if ratio.limit < 0.01 else f"{n:.2f}" for n in (ratio.value, ratio.limit))
        lines.append(f"{ratio.row}, {ratio.column} to {ratio.against}: {value}, at most {limit}: {verdict}")
    return "\n".join(lines)


def keeps(values: Sequence[float], limits: Sequence[float]) -> bool:
    """Tell whether each number is at most its limit."""
    return all(value <= limit for value, limit in zip(values, limits, strict=True))


def mark(values: Sequence[float], line: Line) -> str:
    """Mark what misses a limit that it must keep, and what keeps the one that is aimed at."""
    if not values or not line.must:
        return "  "
    if not keeps(values, line.must):
        return " !"
    return " *" if line.aim and keeps(values, line.aim) else "  "


def numbers(values: Iterable[float]) -> str:
    """Write the numbers of a cell."""
    return " / ".join(f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" for value in values)
