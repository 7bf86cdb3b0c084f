"""The instances of a conjunction: the values for which it holds, the tuples that each needs, and why the rest is true.

A rule is joined backwards, from a row of its head; the body of an aggregate from the values outside. The model is
complete, so nothing is derived here. This module must not know which instance a proof takes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product
from typing import Final

from liqo_connectivity.engine.arithmetic import folded
from liqo_connectivity.engine.bindings import Bindings, reader, row_reader, slots
from liqo_connectivity.engine.join import compile_join
from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.printer import format_body
from liqo_connectivity.engine.proof import Absent, Holds
from liqo_connectivity.engine.substitution import ground_comparison
from liqo_connectivity.engine.syntax import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Rule,
    Value,
    Variable,
    Wildcard,
    aggregate_of,
)

WITNESSES: Final = 3
"""How many instances of what is counted a proof shows."""

Tuple = tuple[str, Row]
"""A relation and one of its rows."""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """An aggregate's value, and the instances of its body that are shown for it."""

    value: int
    shown: "tuple[Instance, ...]"


@dataclass(frozen=True, slots=True)
class Instance:
    """Values for which a conjunction holds.

    ``needs`` are the tuples of its atoms, then those of the witnesses; ``witnesses`` has an entry for each literal with
    an aggregate.
    """

    bindings: tuple[Value, ...]
    needs: tuple[Tuple, ...]
    witnesses: tuple[Witnesses, ...]


class Conjunction:
    """A body, compiled once for all the values that are asked about."""

    def __init__(
        self, body: Sequence[Literal_], bound: Iterable[str], model: Model, head: Sequence[Literal_] = ()
    ) -> None:
        self._model = model
        self._functors = model.program.functors
        named = _name_wildcards(body)
        self.slot_of = slots((*head, *named))
        self._read_body = [
            (item.relation, row_reader(item.terms, self.slot_of, self._functors))
            for item in named
            if isinstance(item, Atom)
        ]
        self._aggregates = [(a, Conjunction(a.body, a.outer, model)) for a in map(aggregate_of, body) if a]
        self._found: list[Bindings] = []
        self._join = compile_join(
            named,
            self.slot_of,
            bound,
            self._functors,
            lambda _, name: model.relation(name),
            lambda bindings: self._found.append(bindings.copy()),
        )

    def instances(self, bindings: Bindings) -> Iterator[Instance]:
        """Give the instances that have the bound values; several if several witnesses would do for an aggregate."""
        for values in self.solutions(bindings):
            yield from self.witnessed(values)

    def solutions(self, bindings: Bindings) -> list[Bindings]:
        """Give the values of the instances alone."""
        self._found = []
        self._join(bindings)
        return self._found

    def witnessed(self, values: Bindings) -> Iterator[Instance]:
        """Make instances of values for which the body holds."""
        own = tuple([(name, read(values)) for name, read in self._read_body])
        if not self._aggregates:
            yield Instance(tuple(values), own, ())
            return
        for witnesses in product(*[self._witnesses(a, inner, values) for a, inner in self._aggregates]):
            below = tuple(need for found in witnesses for instance in found.shown for need in instance.needs)
            yield Instance(tuple(values), own + below, witnesses)

    def _witnesses(self, aggregate: Aggregate, inner: "Conjunction", values: Bindings) -> list[Witnesses]:
        """Give the choices of witnesses: for ``count`` the smallest instances, else each one that has the value."""
        own: Bindings = [0] * len(inner.slot_of)
        for name in aggregate.outer:
            own[inner.slot_of[name]] = values[self.slot_of[name]]
        found = [instance for solution in inner.solutions(own) for instance in inner.witnessed(solution)]
        if aggregate.target is None:
            smallest = nsmallest(WITNESSES, found, key=lambda instance: (instance.needs, instance.bindings))
            return [Witnesses(len(found), tuple(smallest))]
        slot = inner.slot_of[aggregate.target.name]
        value = folded(aggregate.kind, [instance.bindings[slot] for instance in found])
        assert value is not None
        return [Witnesses(value, (instance,)) for instance in found if instance.bindings[slot] == value]

    def environment(self, values: Sequence[Value]) -> dict[str, Value]:
        """Give the values of an instance by variable."""
        return {name: values[slot] for name, slot in self.slot_of.items()}

    def inner(self, aggregate: Aggregate) -> "Conjunction":
        """Give the compiled body of an aggregate."""
        return next(conjunction for known, conjunction in self._aggregates if known is aggregate)

    def side(self, item: Literal_, values: Sequence[Value]) -> Absent | Holds:
        """Say why a negation or a comparison without an aggregate holds."""
        if isinstance(item, Negation):
            read = [
                None if isinstance(t, Wildcard) else reader(t, self.slot_of, self._functors) for t in item.atom.terms
            ]
            return Absent(item.atom.relation, tuple(r(list(values)) if r else None for r in read))
        assert isinstance(item, Comparison)
        return Holds(format_body(ground_comparison(item, self.environment(values))))


def passed_over(model: Model, rule: Rule, item: Comparison, value: int, values: Mapping[str, Value]) -> tuple[int, ...]:
    """List what an atom of the rule offers for the value of a ``min`` or ``max``, and that comes before it.

    Of ``V = min X : { ... }``, that atom is the first that has ``V`` in a column; of its rows those count that have the
    values of the aggregate's outer variables.
    """
    aggregate = aggregate_of(item)
    name = next((side.name for side in (item.left, item.right) if isinstance(side, Variable)), None)
    if aggregate is None or aggregate.kind == "count" or item.operator != "=" or name is None:
        return ()
    known = {outer: values[outer] for outer in aggregate.outer}
    for atom in rule.body:
        if not isinstance(atom, Atom) or not any(isinstance(t, Variable) and t.name == name for t in atom.terms):
            continue
        column = next(c for c, t in enumerate(atom.terms) if isinstance(t, Variable) and t.name == name)
        offered = {int(row[column]) for row in _rows(model, atom, known)}
        before = [n for n in offered if (n < value if aggregate.kind == "min" else n > value)]
        return tuple(sorted(before, reverse=aggregate.kind == "max"))
    return ()


def _rows(model: Model, atom: Atom, known: Mapping[str, Value]) -> Iterable[Row]:
    fixed = {
        column: term.value if isinstance(term, Constant) else known[term.name]
        for column, term in enumerate(atom.terms)
        if isinstance(term, Constant) or (isinstance(term, Variable) and term.name in known)
    }
    relation = model.relation(atom.relation)
    values = list(fixed.values())
    if not values:
        return relation
    key = values[0] if len(values) == 1 else tuple(values)
    return relation.index(tuple(fixed)).get(key, ())


def _name_wildcards(body: Sequence[Literal_]) -> tuple[Literal_, ...]:
    """Give each ``_`` of a positive atom a name, so that every row that matches it is an instance of its own."""
    return tuple(
        Atom(
            item.relation,
            tuple(
                Variable(f"_ {position} {column}") if isinstance(term, Wildcard) else term
                for column, term in enumerate(item.terms)
            ),
        )
        if isinstance(item, Atom)
        else item
        for position, item in enumerate(body)
    )
