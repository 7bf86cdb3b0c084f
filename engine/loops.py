"""A join as nested loops in source: each step of a plan is a loop, a test or an assignment inside the one before.

Nested-loop joins over indexes, with the loops unrolled for one rule; semi-naive evaluation (Bancilhon 1986) begins
them at a change. This module must not know what is done with the instances that a join finds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from liqo_connectivity.engine.codegen import Cell, Writer
from liqo_connectivity.engine.steps import Bind, Fold, Lookup, Scan, Step, Test
from liqo_connectivity.engine.syntax import variables

_DEEPEST: Final = 15
"""Python refuses more than 20 nested blocks; a deeper join goes on in a helper."""
_OPERATORS: Final = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

Names = Mapping[str, str]
"""Identifiers by variable, and by ``row_name`` for the rows that are kept."""


def row_name(position: int) -> str:
    """Name the row that the literal at a position read; no variable can be named so."""
    return f"@{position}"


@dataclass(frozen=True)
class Join:
    """How a join is written.

    ``emit`` writes what is done with an instance, and reads the variables ``wanted``. ``guards`` maps positions of the
    body to the identifier of a collection: a row read there must not be in it. The rows read at the positions ``kept``
    stay known to ``emit``. ``parameters`` are those of the function around. ``counters`` names the list whose first
    number counts probes, if any.
    """

    writer: Writer
    emit: Callable[[Names], None]
    wanted: frozenset[str]
    parameters: tuple[str, ...] = ()
    guards: Mapping[int, str] = field(default_factory=dict[int, str])
    kept: frozenset[int] = frozenset()
    counters: str = ""

    def write(self, steps: Sequence[Step], names: Names, loops: int = 0) -> None:
        """Write the steps as nested blocks; the indentation is as before afterwards."""
        if not steps:
            self.emit(names)
            return
        writer, depth = self.writer, self.writer.depth
        if loops >= _DEEPEST or depth > 4 * _DEEPEST:
            arguments = dict.fromkeys([*self.parameters, *names.values()])
            writer.helper(tuple(arguments), lambda: self.write(steps, names))
            return
        step, rest = steps[0], steps[1:]
        if self.counters and isinstance(step, Scan | Lookup):
            writer.line(f"{self.counters}[0] += 1")
        match step:
            case Bind(name=name, term=term):
                names = {**names, name: writer.name("v")}
                writer.line(f"{names[name]} = {writer.value(term, names)}")
            case Test(comparison=test):
                left, right = writer.value(test.left, names), writer.value(test.right, names)
                writer.open(f"if {left} {_OPERATORS[test.operator]} {right}:")
            case Fold():
                names = self._fold(step, names, loops)
            case Lookup():
                names = self._lookup(step, names)
            case Scan():
                names = self._scan(step, rest, names)
                loops += 1
        self.write(rest, names, loops)
        writer.depth = depth

    def _fold(self, step: Fold, names: Names, loops: int) -> Names:
        writer, aggregate, found = self.writer, step.aggregate, self.writer.name("a")
        target = aggregate.target
        writer.line(f"{found} = []")
        inner = Join(
            writer,
            lambda inside: writer.line(f"{found}.append({inside[target.name] if target else 0})"),
            frozenset() if target is None else frozenset((target.name,)),
            (found,),
            counters=self.counters,
        )
        inner.write(step.steps, {name: names[name] for name in aggregate.outer}, loops)
        value = "len" if aggregate.kind == "count" else aggregate.kind
        if aggregate.kind != "count":
            writer.open(f"if {found}:")
        if step.known:
            writer.open(f"if {names[step.name]} == {value}({found}):")
            return names
        names = {**names, step.name: writer.name("v")}
        writer.line(f"{names[step.name]} = {value}({found})")
        return names

    def _lookup(self, step: Lookup, names: Names) -> Names:
        writer = self.writer
        rows, row = writer.cell(Cell("rows", step.relation)), writer.row(step.terms, names)
        if step.position in self.guards or step.position in self.kept:
            names = {**names, row_name(step.position): writer.name("r")}
            writer.line(f"{names[row_name(step.position)]} = {row}")
            row = names[row_name(step.position)]
        guard = f" and {row} not in {self.guards[step.position]}" if step.position in self.guards else ""
        if not step.present:
            writer.open(f"if {row} not in {rows}{guard}:")
        else:
            # Many a relation is empty most of the time, and then its rows need not even be made.
            writer.open(f"if {rows} and {row} in {rows}{guard}:")
        return names

    def _scan(self, step: Scan, rest: Sequence[Step], names: Names) -> Names:
        writer, row = self.writer, self.writer.name("r")
        if step.source == "index":
            get, bucket = writer.cell(Cell("lookup", step.relation, step.columns)), writer.name("b")
            values = [writer.value(term, names) for term in step.keys]
            writer.line(f"{bucket} = {get}({values[0] if len(values) == 1 else writer.row(step.keys, names)})")
            writer.open(f"if {bucket} is not None:")
            writer.open(f"for {row} in {bucket} if type({bucket}) is dict else ({bucket},):")
        else:
            writer.open(f"for {row} in {writer.cell(Cell('rows', step.relation))}:")
        if step.position in self.guards:
            writer.open(f"if {row} not in {self.guards[step.position]}:")
        if step.position in self.kept:
            names = {**names, row_name(step.position): row}
        return self.read(step, rest, row, names)

    def read(self, step: Scan, rest: Sequence[Step], row: str, names: Names) -> Names:
        """Write the tests of a scanned row, and give identifiers to those of its variables that are read later."""
        writer, column_of = self.writer, {name: column for column, name in step.binds}
        tests = [f"{row}[{column}] == {writer.value(term, names)}" for column, term in step.filters]
        tests += [f"{row}[{column}] == {row}[{column_of[name]}]" for column, name in step.repeats]
        if tests:
            writer.open(f"if {' and '.join(tests)}:")
        used = self.wanted.union(*map(_reads, rest))
        bound = {name: writer.name("v") for _, name in step.binds if name in used}
        for name, identifier in bound.items():
            writer.line(f"{identifier} = {row}[{column_of[name]}]")
        return {**names, **bound}


def _reads(step: Step) -> frozenset[str]:
    match step:
        case Scan(keys=terms) | Lookup(terms=terms):
            return frozenset(v.name for term in terms for v in variables(term))
        case Fold(name=name, aggregate=aggregate):
            return frozenset((name, *aggregate.outer))
        case Bind(term=term):
            return frozenset(v.name for v in variables(term))
        case Test(comparison=comparison):
            return frozenset(v.name for v in variables(comparison))
