"""Writes a join as nested loops: each step of a plan is a loop, a test or an assignment inside the previous one.

These are index nested-loop joins, specialized for one rule. Semi-naive evaluation (Bancilhon 1986) starts them at a
change.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from liqo_connectivity.engine.codegen.source import Capture, Writer, tuple_of
from liqo_connectivity.engine.plan.join_steps import Aggregation, Bind, JoinStep, Lookup, Scan, Test
from liqo_connectivity.engine.syntax.nodes import Atom, Constant, Variable, variables

_DEEPEST: Final = 15
"""Python allows at most 20 nested blocks; a deeper join continues in a helper."""
_OPERATORS: Final = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

Names = Mapping[str, str]
"""Identifiers of variables, of kept rows (by ``row_name``) and of any row (by ``tuple_of`` its columns)."""


Charge = Callable[[str], None]
"""Writes what counts some rows as read, given an expression for their number."""


def row_name(position: int) -> str:
    """Name the row that the literal at a position reads; no variable can have this name."""
    return f"@{position}"


def write_head(writer: Writer, head: Atom) -> tuple[dict[str, str], bool]:
    """Write the unification of a rule's head with ``row``, and leave a block open if there is a test.

    Returns the identifiers of the head's variables, and whether the head has computed terms: these are known only after
    the join, and must be compared then.
    """
    names: dict[str, str] = {}
    tests: list[str] = []
    for column, term in enumerate(head.terms):
        if isinstance(term, Variable) and term.name not in names:
            names[term.name] = writer.name("v")
            writer.line(f"{names[term.name]} = row[{column}]")
        elif isinstance(term, Variable | Constant):
            tests.append(f"row[{column}] == {writer.value(term, names)}")
    if tests:
        writer.open(f"if {' and '.join(tests)}:")
    return names, any(not isinstance(term, Variable | Constant) for term in head.terms)


def write_fold(writer: Writer, kind: str, found: str, value: str) -> None:
    """Write the aggregation of one more value into the list ``found``: a running number, or the best one so far."""
    if kind in ("count", "sum"):
        writer.line(f"{found}[0] += {value or 1}")
        return
    writer.line(f"if not {found}: {found}.append({value})")
    writer.line(f"elif {value} {'<' if kind == 'min' else '>'} {found}[0]: {found}[0] = {value}")


class Block(NamedTuple):
    """A block that several joins share: its indentation, and the identifiers of its lookups.

    A lookup at the start of one join serves all later ones.
    """

    depth: int
    lookups: dict[str, str]


class Join(NamedTuple):
    """Writes one join.

    ``emit`` writes the code for an instance, and reads the variables ``wanted``. ``guards`` maps positions of the body
    to the identifier of a collection: a row read there must not be in it. ``emit`` also knows the rows read at the
    positions ``kept``. ``parameters`` are those of the enclosing function. ``counters`` names the list whose first
    number counts probes, if any. ``charge`` writes, for an expression, what counts so many rows as read; empty for
    nothing. With ``distinct``, it does not matter how often an instance is found: an atom that binds nothing of use is only
    tested. ``arrange`` names a function that sorts rows, if the join reads them in order. ``block`` is shared with other
    joins.
    """

    writer: Writer
    emit: Callable[[Names], None]
    wanted: frozenset[str]
    parameters: tuple[str, ...] = ()
    guards: Mapping[int, str] = MappingProxyType({})
    kept: frozenset[int] = frozenset()
    counters: str = ""
    charge: Charge | None = None
    arrange: str = ""
    distinct: bool = False
    block: Block | None = None

    def write(self, steps: Sequence[JoinStep], names: Names, loops: int = 0) -> None:
        """Write the steps as nested blocks, then restore the indentation."""
        if not steps:
            self.emit(names)
            return
        writer, depth = self.writer, self.writer.depth
        if loops >= _DEEPEST or depth > 4 * _DEEPEST:
            arguments = dict.fromkeys([*self.parameters, *names.values()])
            writer.helper(tuple(arguments), lambda: self._replace(block=None).write(steps, names))
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
            case Aggregation():
                names = self._fold(step, names, loops)
            case Lookup():
                names = self._lookup(step, names)
            case Scan():
                names = self._scan(step, rest, names)
                loops += 1
        self.write(rest, names, loops)
        writer.depth = depth

    def _fold(self, step: Aggregation, names: Names, loops: int) -> Names:
        writer, aggregate, found = self.writer, step.aggregate, self.writer.name("a")
        target = aggregate.target
        writer.line(f"{found} = {'[]' if step.aggregate.kind in ('min', 'max') else '[0]'}")

        def emit(inside: Names) -> None:
            write_fold(writer, aggregate.kind, found, inside[target.name] if target else "")

        inner = Join(
            writer,
            emit,
            frozenset() if target is None else frozenset((target.name,)),
            (found, *self.parameters),
            counters=self.counters,
            charge=self.charge,
            distinct=aggregate.kind in ("min", "max"),
        )
        inner.write(step.steps, {name: names[name] for name in aggregate.outer}, loops)
        if aggregate.kind in ("min", "max"):
            writer.open(f"if {found}:")
        if aggregate.kind == "sum":
            # What is out of range raises as a calculation does.
            plus = writer.capture(Capture("constant", constant="+"))
            writer.line(f"{writer.capture(Capture('calculate'))}({plus}, {found}[0], 0)")
        if step.known:
            writer.open(f"if {names[step.name]} == {found}[0]:")
            return names
        names = {**names, step.name: writer.name("v")}
        writer.line(f"{names[step.name]} = {found}[0]")
        return names

    def _lookup(self, step: Lookup, names: Names) -> Names:
        writer = self.writer
        rows, row = writer.capture(Capture("rows", step.relation)), writer.row(step.terms, names)
        if step.position in self.guards or step.position in self.kept:
            names = {**names, row_name(step.position): writer.name("r")}
            writer.line(f"{names[row_name(step.position)]} = {row}")
            row = names[row_name(step.position)]
        guard = f" and {row} not in {self.guards[step.position]}" if step.position in self.guards else ""
        if not step.present:
            writer.open(f"if {row} not in {rows}{guard}:")
        else:
            # Many relations are empty most of the time: then the row need not be built.
            writer.open(f"if {rows} and {row} in {rows}{guard}:")
        return names

    def _scan(self, step: Scan, rest: Sequence[JoinStep], names: Names) -> Names:
        writer, row = self.writer, self.writer.name("r")
        if step.source == "index":
            get = writer.capture(Capture("lookup", step.relation, step.columns))
            values = [writer.value(term, names) for term in step.keys]
            bucket = self._bucket(f"{get}({values[0] if len(values) == 1 else writer.row(step.keys, names)})")
            writer.open(f"if {bucket} is not None:")
            if self._is_test(step, rest):
                return names
            if self.charge:
                self.charge(f"len({bucket})")
            writer.open(f"for {row} in ({bucket},) if type({bucket}) is tuple else {self._arranged(bucket)}:")
        else:
            rows = writer.capture(Capture("rows", step.relation))
            if self._is_test(step, rest):
                writer.open(f"if {rows}:")
                return names
            if self.charge:
                self.charge(f"len({rows})")
            writer.open(f"for {row} in {self._arranged(rows)}:")
        if step.position in self.guards:
            writer.open(f"if {row} not in {self.guards[step.position]}:")
        if step.position in self.kept:
            names = {**names, row_name(step.position): row}
        return self._read(step, rest, row, names)

    def _is_test(self, step: Scan, rest: Sequence[JoinStep]) -> bool:
        """Return whether it is enough that a row exists."""
        if not self.distinct or step.filters or step.repeats or step.position in self.kept:
            return False
        return self.wanted.union(*map(_reads, rest)).isdisjoint(name for _, name in step.binds)

    def _arranged(self, rows: str) -> str:
        return f"{self.arrange}({rows})" if self.arrange else rows

    def _bucket(self, lookup: str) -> str:
        """Return the identifier of a lookup, written here or earlier in the block."""
        if self.block and lookup in self.block.lookups:
            return self.block.lookups[lookup]
        bucket = self.writer.name("b")
        if self.block and self.writer.depth == self.block.depth:
            self.block.lookups[lookup] = bucket
        self.writer.line(f"{bucket} = {lookup}")
        return bucket

    def begin(self, step: Scan, columns: Sequence[str]) -> Names:
        """Write the tests of a changed row, given the identifiers of its columns; return those of its variables."""
        writer, column_of = self.writer, {name: column for column, name in step.binds}
        tests = [f"{columns[column]} == {writer.value(term, {})}" for column, term in step.filters]
        tests += [f"{columns[column]} == {columns[column_of[name]]}" for column, name in step.repeats]
        if tests:
            writer.open(f"if {' and '.join(tests)}:")
        return {name: columns[column] for name, column in column_of.items()} | {tuple_of(columns): "row"}

    def _read(self, step: Scan, rest: Sequence[JoinStep], row: str, names: Names) -> Names:
        """Write the tests of a scanned row, and name those of its variables that later steps read."""
        writer, column_of = self.writer, {name: column for column, name in step.binds}
        known = {column: writer.value(term, names) for column, term in zip(step.columns, step.keys, strict=True)}
        compared = {column: writer.value(term, names) for column, term in step.filters}
        tests = [f"{row}[{column}] == {value}" for column, value in compared.items()]
        tests += [f"{row}[{column}] == {row}[{column_of[name]}]" for column, name in step.repeats]
        if tests:
            writer.open(f"if {' and '.join(tests)}:")
        used = self.wanted.union(*map(_reads, rest))
        bound = {name: writer.name("v") for _, name in step.binds if name in used}
        for name, identifier in bound.items():
            writer.line(f"{identifier} = {row}[{column_of[name]}]")
        known |= compared | {column_of[name]: identifier for name, identifier in bound.items()}
        known |= {column: bound[name] for column, name in step.repeats if name in bound}
        if len(known) < step.width:
            return {**names, **bound}
        return {**names, **bound, tuple_of(known[column] for column in range(step.width)): row}


def _reads(step: JoinStep) -> frozenset[str]:
    match step:
        case Scan(keys=terms) | Lookup(terms=terms):
            return frozenset(v.name for term in terms for v in variables(term))
        case Aggregation(name=name, aggregate=aggregate):
            return frozenset((name, *aggregate.outer))
        case Bind(term=term):
            return frozenset(v.name for v in variables(term))
        case Test(comparison=comparison):
            return frozenset(v.name for v in variables(comparison))
