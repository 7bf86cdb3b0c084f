"""The instances of a conjunction: the tuples that each needs, and the witnesses of its aggregates.

A rule is joined backwards from a row of its head; the body of an aggregate from the values of its outer variables. The
model is complete, so nothing is derived here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product
from operator import itemgetter
from typing import Final, cast

from liqo_connectivity.engine.codegen.backward_joins import backward_join, backward_order
from liqo_connectivity.engine.codegen.source import Capture
from liqo_connectivity.engine.storage.lookups import fan_out, finder
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.arithmetic import calculate, folded
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Constant,
    Literal_,
    Row,
    Variable,
    aggregate_of,
    variables,
)

WITNESSES: Final = 3
"""The number of counted instances that a proof shows."""

Tuple = tuple[str, Row]
"""A relation and one of its rows."""
Instance = tuple[tuple[Tuple, ...], tuple[Tuple, ...], Row, "tuple[Witnesses, ...]"]
"""An instance of a conjunction: its needs, the open ones among them, values, witnesses.

The needs are the tuples of its atoms, in order, then those of the witnesses; they identify the instance, since they and
the head determine all values. A need is open if its relation has rules. The values are those of the variables in
``BackwardJoin.slot_of``; each literal with an aggregate has one item in the witnesses.
"""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """An aggregate's value, and the instances of its body that a proof shows for it."""

    value: int
    shown: tuple[Instance, ...]


class BackwardJoin:
    """A body, compiled once for all rows of a head.

    ``join(row, found)`` appends the instances for a row of the head, without witnesses; ``witnessed`` adds those of
    ``aggregates``. ``slot_of`` numbers the variables whose values an instance keeps: those of negations and
    comparisons, and those named in ``kept``.
    """

    def __init__(
        self,
        head: Atom,
        body: tuple[Literal_, ...],
        derived: frozenset[str],
        tables: Mapping[str, Table],
        functors: Mapping[str, Functor],
        kept: Collection[str] = (),
    ) -> None:
        self.body = body
        sides = [item for item in body if not isinstance(item, Atom)]
        names = dict.fromkeys([*(v.name for item in sides for v in variables(item)), *kept])
        self.slot_of = {name: slot for slot, name in enumerate(names)}

        def cost(atom: Atom, known: Collection[str]) -> float:
            fixed = [
                column
                for column, term in enumerate(atom.terms)
                if isinstance(term, Constant) or (isinstance(term, Variable) and term.name in known)
            ]
            return 0 if len(fixed) == len(atom.terms) else fan_out(tables[atom.relation], tuple(fixed))

        def resolve(capture: Capture) -> object:
            match capture.kind:
                case "constant":
                    return capture.constant
                case "calculate":
                    return calculate
                case "functor":
                    return functors[capture.name]
                case "rows":
                    return tables[capture.name].rows
                case "lookup":
                    return finder(tables[capture.name], capture.columns)
                case _:
                    raise AssertionError(f"a backward join reads no {capture.kind}")

        template = backward_join(head, body, backward_order(head, body, cost), derived, tuple(names))
        self.join = cast("Callable[[Row, list[Instance]], None]", template.make(resolve))
        self.aggregates = [
            _Aggregate(aggregate, self.slot_of, derived, tables, functors)
            for aggregate in map(aggregate_of, body)
            if aggregate
        ]

    def instances(self, row: Row) -> list[Instance]:
        """List the instances for a row of the head, one for each choice of the aggregates' witnesses."""
        found: list[Instance] = []
        self.join(row, found)
        return self.witnessed(found) if self.aggregates else found

    def witnessed(self, found: Iterable[Instance]) -> list[Instance]:
        """Add the witnesses to instances."""
        made: list[Instance] = []
        for needs, left, values, _ in found:
            for chosen in product(*[aggregate.witnesses(values) for aggregate in self.aggregates]):
                shown = [instance for witnesses in chosen for instance in witnesses.shown]
                all_needs = (*needs, *(need for instance in shown for need in instance[0]))
                all_left = (*left, *(need for instance in shown for need in instance[1]))
                made.append((all_needs, all_left, values, chosen))
        return made


class _Aggregate:
    """An aggregate of a body, joined from the values of its outer variables."""

    def __init__(
        self,
        aggregate: Aggregate,
        slot_of: Mapping[str, int],
        derived: frozenset[str],
        tables: Mapping[str, Table],
        functors: Mapping[str, Functor],
    ) -> None:
        self.aggregate = aggregate
        kept = () if aggregate.target is None else (aggregate.target.name,)
        head = Atom("", tuple(map(Variable, aggregate.outer)))
        self.inner = BackwardJoin(head, aggregate.body, derived, tables, functors, kept)
        self._outer = [slot_of[name] for name in aggregate.outer]
        self._target = self.inner.slot_of[kept[0]] if kept else 0

    def witnesses(self, values: Row) -> list[Witnesses]:
        """Return the choices of witnesses: for ``count`` the smallest instances, else each instance with the value."""
        found = self.inner.instances(tuple([values[slot] for slot in self._outer]))
        if self.aggregate.target is None:
            return [Witnesses(len(found), tuple(nsmallest(WITNESSES, found, key=itemgetter(0))))]
        value = folded(self.aggregate.kind, [instance[2][self._target] for instance in found])
        assert value is not None
        return [Witnesses(value, (instance,)) for instance in found if instance[2][self._target] == value]
