"""How far a rule body gets: the longest part that some values satisfy, and the literal that fails after it.

The join order suits the known values: the atom with the fewest matching rows comes first, and a test comes before any
enumeration. So a failure names the one missing tuple, not one of thousands that happen to be tried first. The order
depends only on the rows of the model, not on the order in which they were added, and rows are tried in sorted order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, cast

from liqo_connectivity.engine.plan.join_order import flatten, order
from liqo_connectivity.engine.storage.lookups import distinct
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.arithmetic import COMPARISONS, EvaluationError, calculate, folded
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Term,
    Value,
    Variable,
    Wildcard,
    variables,
)

Environment = dict[str, Value]
"""The values of variables, by name."""


class Budget:
    """The rows that may still be tried."""

    __slots__ = ("rows",)

    def __init__(self, rows: int) -> None:
        self.rows = rows


class PartialMatch(NamedTuple):
    """A body in join order, how many of its literals hold together, and the values for which they do.

    ``body`` is flattened: an atom's arithmetic is an equation for a new variable, which ``written`` maps to the term.
    ``complete`` is false if the budget ended before every choice of values was tried: others might get further.
    """

    body: tuple[Literal_, ...]
    holding: int
    values: Mapping[str, Value]
    written: Mapping[str, Term]
    complete: bool


def longest_match(model: Model, body: Sequence[Literal_], values: Environment, budget: Budget) -> PartialMatch:
    """Find the values that get furthest through a body that nothing satisfies; among several, the smallest.

    ``values`` holds those known before. For a satisfiable body, the match is the whole body.
    """
    plain, hidden = flatten(body)
    # flatten appends one equation for each hidden variable, in the same order.
    equations = [item.right for item in plain[len(body) :] if isinstance(item, Comparison)]
    written = dict(zip(hidden, equations, strict=True))
    ordered = join_order(model, plain, values)
    search = _Search(model, ordered, budget, dict(values))
    complete = search.run(0, dict(values)) or not search.cut
    return PartialMatch(tuple(ordered), search.furthest, search.values, written, complete)


def matching(model: Model, atom: Atom, values: Mapping[str, Value]) -> Iterable[Row]:
    """Return the rows that match an atom of constants, variables and ``_`` under the known values."""
    keyed: list[int] = []
    key: list[Value] = []
    first: dict[str, int] = {}
    repeated: list[tuple[int, int]] = []
    for column, term in enumerate(atom.terms):
        if isinstance(term, Constant):
            keyed.append(column)
            key.append(term.value)
        elif isinstance(term, Variable):
            if term.name in values:
                keyed.append(column)
                key.append(values[term.name])
            elif term.name in first:
                repeated.append((first[term.name], column))
            else:
                first[term.name] = column
    rows = model.find(atom.relation, tuple(keyed), tuple(key))
    return [row for row in rows if all(row[a] == row[b] for a, b in repeated)] if repeated else rows


def value_of(term: Term, values: Mapping[str, Value], functors: Mapping[str, Functor]) -> Value:
    """Compute a term. Raises EvaluationError; KeyError if a variable has no value."""
    match term:
        case Constant(value=value):
            return value
        case Variable(name=name):
            return values[name]
        case Arithmetic(operator=symbol, left=left, right=right):
            return calculate(symbol, int(value_of(left, values, functors)), int(value_of(right, values, functors)))
        case Call(functor=name, arguments=arguments):
            return functors[name](*[value_of(argument, values, functors) for argument in arguments])
        case Wildcard():
            raise AssertionError("analysis refuses _ where a value is needed")
        case Aggregate():
            raise AssertionError("an aggregate is more than a term: aggregated() computes it")


def fixed(atom: Atom, values: Mapping[str, Value], functors: Mapping[str, Functor]) -> Atom:
    """Replace the terms of an atom by their values; a term without a value stays. Raises EvaluationError."""
    terms = tuple(
        term
        if isinstance(term, Wildcard) or any(v.name not in values for v in variables(term))
        else Constant(value_of(term, values, functors))
        for term in atom.terms
    )
    return Atom(atom.relation, terms, atom.span)


def join_order(model: Model, body: Sequence[Literal_], known: Iterable[str]) -> list[Literal_]:
    """Order a flat body: equations that bind, then lookups of at most one row, then tests, then enumerations."""
    names, rest, ordered = set(known), list(range(len(body))), list[Literal_]()
    while rest:
        ranked = [(rank, p) for p in rest if (rank := _rank(model, body[p], names)) is not None]
        _, chosen = min(ranked)
        rest.remove(chosen)
        ordered.append(body[chosen])
        names.update(v.name for v in variables(body[chosen]))
    return ordered


_Rank = tuple[bool, int, int, int]
_BINDS: _Rank = (False, 0, 0, 0)
_TESTS: _Rank = (False, 1000, 0, 0)


def _rank(model: Model, item: Literal_, known: set[str]) -> _Rank | None:
    """Rank a literal; ``None`` if it is not ready.

    Literals with something known come first, then those with fewer rows for each lookup (in thousandths); among equals,
    atoms with more known columns, then those with more distinct keys.
    """
    if isinstance(item, Atom):
        return _fan_out(model, item, known)
    missing = {v.name for v in variables(item)} - known
    if not missing:
        return _TESTS
    if isinstance(item, Comparison) and item.operator == "=":
        for target, other in ((item.left, item.right), (item.right, item.left)):
            if isinstance(target, Variable) and missing == {target.name} and target not in variables(other):
                return _BINDS
    return None


def _fan_out(model: Model, atom: Atom, known: set[str]) -> _Rank:
    keyed = [
        column
        for column, term in enumerate(atom.terms)
        if isinstance(term, Constant) or (isinstance(term, Variable) and term.name in known)
    ]
    rows = model.count(atom.relation)
    if len(keyed) == len(atom.terms) or not rows:
        return _TESTS
    keys = distinct(model.tables, atom.relation, tuple(keyed)) if keyed else 1
    return not keyed, rows * 1000 // keys, -len(keyed), -keys


class _Search:
    """Tries values depth first, and remembers the first that got furthest."""

    def __init__(self, model: Model, body: Sequence[Literal_], budget: Budget, values: Environment) -> None:
        self._model = model
        self._functors = model.program.functors
        self._body = body
        self._budget = budget
        self.furthest = 0
        self.values = values
        self.cut = False

    def run(self, step: int, values: Environment) -> bool:
        """Try all values for the literals from a step on; return whether none can get further than those found."""
        while True:
            if step > self.furthest:
                self.furthest, self.values = step, values
            if step == len(self._body):
                return True
            item = self._body[step]
            if isinstance(item, Atom):
                return self._scan(item, step, values)
            try:
                found = self._negated(item, values) if isinstance(item, Negation) else self._compared(item, values)
            except EvaluationError:
                # A literal without a value does not hold.
                found = None
            if found is None:
                return self._is_last(step)
            step, values = step + 1, found

    def _is_last(self, step: int) -> bool:
        # Nothing satisfies the whole body, so no values get further than the last literal.
        return step == len(self._body) - 1

    def _scan(self, atom: Atom, step: int, values: Environment) -> bool:
        if self._budget.rows <= 0:
            self.cut = True
            return False
        fresh = {t.name: c for c, t in enumerate(atom.terms) if isinstance(t, Variable) and t.name not in values}
        rows = matching(self._model, atom, values)
        for row in self._smallest(rows, tuple(fresh.values())) if fresh else islice(rows, 1):
            if self._budget.rows <= 0:
                self.cut = True
                return False
            self._budget.rows -= 1
            if self.run(step + 1, {**values, **dict(zip(fresh, row, strict=False))}):
                return True
        return self._is_last(step)

    def _smallest(self, rows: Iterable[Row], columns: tuple[int, ...]) -> Iterable[Row]:
        """Return the distinct values of some columns, smallest first, and no more than the budget allows."""
        if len(columns) == 1:
            found: set[Row] = {(row[columns[0]],) for row in rows}
        else:
            found = set(map(cast("Callable[[Row], Row]", itemgetter(*columns)), rows))
        if len(found) > self._budget.rows:
            self.cut = True
            return nsmallest(self._budget.rows, found)
        return sorted(found)

    def _negated(self, item: Negation, values: Environment) -> Environment | None:
        present = any(True for _ in matching(self._model, fixed(item.atom, values, self._functors), {}))
        return None if present else values

    def _compared(self, item: Comparison, values: Environment) -> Environment | None:
        if isinstance(item.right, Aggregate):
            return self._folded(item, item.right, values)
        return _compared(item, values, self._functors)

    def _folded(self, item: Comparison, aggregate: Aggregate, values: Environment) -> Environment | None:
        # In a flattened body an aggregate stands only on the right of an equation with a variable.
        assert isinstance(item.left, Variable)
        found = aggregated(self._model, aggregate, values)
        if found is None or values.get(item.left.name, found) != found:
            return None
        return {**values, item.left.name: found}


def aggregated(model: Model, aggregate: Aggregate, values: Mapping[str, Value]) -> int | None:
    """Compute an aggregate; ``None`` for ``min`` or ``max`` of nothing. Raises EvaluationError."""
    known = {name: values[name] for name in aggregate.outer}
    plain, _ = flatten(aggregate.body)
    body = [plain[position] for position in order(plain, known)]
    target = aggregate.target
    return folded(aggregate.kind, [found[target.name] if target else 0 for found in _instances(model, body, known)])


def _instances(model: Model, body: Sequence[Literal_], values: Environment) -> Iterator[Environment]:
    """Yield the values of each instance of an ordered, flat body: one for each choice of rows."""
    if not body:
        yield values
        return
    item, *rest = body
    functors = model.program.functors
    match item:
        case Atom():
            fresh = {t.name: c for c, t in enumerate(item.terms) if isinstance(t, Variable) and t.name not in values}
            for row in matching(model, item, values):
                yield from _instances(model, rest, {**values, **{name: row[c] for name, c in fresh.items()}})
        case Negation(atom=atom):
            if not any(True for _ in matching(model, fixed(atom, values, functors), {})):
                yield from _instances(model, rest, values)
        case Comparison():
            found = _compared(item, values, functors)
            if found is not None:
                yield from _instances(model, rest, found)


def _compared(item: Comparison, values: Environment, functors: Mapping[str, Functor]) -> Environment | None:
    """Return the values after a comparison without an aggregate; ``None`` if it is false."""
    if item.operator == "=":
        for target, other in ((item.left, item.right), (item.right, item.left)):
            if isinstance(target, Variable) and target.name not in values:
                return {**values, target.name: value_of(other, values, functors)}
    left, right = (value_of(side, values, functors) for side in (item.left, item.right))
    return values if COMPARISONS[item.operator](left, right) else None
