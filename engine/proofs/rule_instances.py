"""The instances of a conjunction: the tuples that each needs, and the witnesses of its aggregates.

A rule is joined backwards from a row of its head; the body of an aggregate from the values of its outer variables. The
model is complete, so nothing is derived here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from heapq import nsmallest
from itertools import product
from math import prod
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, cast

from liqo_connectivity.engine.codegen.backward_joins import backward_join, backward_order, extreme
from liqo_connectivity.engine.codegen.source import Capture
from liqo_connectivity.engine.proofs.allowance import Allowance, FirstOnly, OverBudgetError
from liqo_connectivity.engine.storage.lookups import fan_out, finder
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.arithmetic import calculate
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
_KEPT: Final = 1000
"""The number of counted instances from which the smallest are chosen at a time."""

Tuple = tuple[str, Row]
"""A relation and one of its rows."""
Instance = tuple[tuple[Tuple, ...], tuple[Tuple, ...], Row, "tuple[Witnesses, ...]"]
"""An instance of a conjunction: its needs, the open ones among them, values, witnesses.

The needs are the tuples of its atoms, in order, then those of the witnesses; they identify the instance, since they and
the head determine all values. A need is open if its relation has rules. The values are those of the variables in
``BackwardJoin.slot_of``; each literal with an aggregate has one item in the witnesses.
"""


class Witnesses(NamedTuple):
    """An aggregate's value, and the instances of its body that a proof shows for it."""

    value: int
    shown: tuple[Instance, ...]


class _Collector(Protocol):
    """What takes the instances that a join finds: a list, or less than a list."""

    def append(self, instance: Instance, /) -> object: ...


_Join = Callable[[Row, _Collector, Allowance], None]


class BackwardJoin:
    """A body, compiled once for all rows of a head.

    ``join(row, found, allowance)`` appends the instances for a row of the head, without witnesses; ``witnessed`` adds those of
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
        *,
        counted: bool = True,
        barred: frozenset[str] | None = None,
    ) -> None:
        """``counted`` and ``barred`` are those of ``backward_join``; with ``barred``, the order of facts has no effect."""
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

        ordered = backward_order(head, body, cost if barred is None else None)
        self._cost, self._resolve = cost, resolve
        template = backward_join(head, body, ordered, derived, tuple(names), counted, barred)
        self.join = cast("_Join", template.make(resolve))
        self.aggregates = [
            _Aggregate(aggregate, self.slot_of, derived, tables, functors, all_choices=barred is None)
            for aggregate in map(aggregate_of, body)
            if aggregate
        ]

    def best(self, aggregate: Aggregate) -> "Callable[[Row, list[int], Allowance], None] | None":
        """Compile the search for the value of a ``min`` or ``max`` over this body; ``None`` for other aggregates."""
        if aggregate.target is None or aggregate.kind == "count" or aggregate.kind == "sum":
            return None
        head = Atom("", tuple(map(Variable, aggregate.outer)))
        ordered = backward_order(head, self.body, self._cost)
        template = extreme(head, self.body, ordered, aggregate.kind, aggregate.target.name)
        return cast("Callable[[Row, list[int], Allowance], None]", template.make(self._resolve))

    def instances(self, row: Row, allowance: Allowance) -> list[Instance]:
        """List the instances for a row of the head, one for each choice of the aggregates' witnesses.

        Raises OverBudgetError.
        """
        found: list[Instance] = []
        self.join(row, found, allowance)
        return self.witnessed(found, allowance) if self.aggregates else found

    def witnessed(self, found: Iterable[Instance], allowance: Allowance) -> list[Instance]:
        """Add the witnesses to instances. Raises OverBudgetError."""
        made: list[Instance] = []
        for needs, left, values, _ in found:
            choices = [aggregate.witnesses(values, allowance) for aggregate in self.aggregates]
            allowance.take(prod(map(len, choices)) - 1)
            for chosen in product(*choices):
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
        *,
        all_choices: bool,
    ) -> None:
        self.aggregate = aggregate
        self._all_choices = all_choices
        target = aggregate.target
        kept = [] if target is None else [target.name]
        keys = aggregate.outer if aggregate.adds else (*aggregate.outer, *kept)
        self._outer = [slot_of[name] for name in aggregate.outer]
        # With the value known, only the instances that have it are joined.
        self.inner = BackwardJoin(
            Atom("", tuple(map(Variable, keys))),
            aggregate.body,
            derived,
            tables,
            functors,
            kept,
            counted=not aggregate.adds,
            barred=None if all_choices or aggregate.adds else frozenset(),
        )
        self._target = self.inner.slot_of[target.name] if target is not None and aggregate.kind == "sum" else None
        self._best = self.inner.best(aggregate)

    def witnesses(self, values: Row, allowance: Allowance) -> list[Witnesses]:
        """Return the choices of witnesses: for ``count`` and ``sum`` the smallest instances, else each instance with the value.

        Raises OverBudgetError. Without ``all_choices``, only the first instance with the value is a choice.
        """
        row = tuple([values[slot] for slot in self._outer])
        if self._best is None:
            counted = _Summed(self._target)
            self.inner.join(row, counted, allowance)
            return [Witnesses(counted.total, tuple(counted.smallest()))]
        best: list[int] = []
        self._best(row, best, allowance)
        found: list[Instance] = []
        if self._all_choices:
            self.inner.join((*row, best[0]), found, allowance)
        else:
            with suppress(OverBudgetError):
                self.inner.join((*row, best[0]), found, FirstOnly())
        return [Witnesses(best[0], (instance,)) for instance in found]


class _Summed:
    """Adds up the values of instances in a slot, or counts instances for ``None``, and keeps the smallest."""

    __slots__ = ("_slot", "shown", "total")

    def __init__(self, slot: int | None) -> None:
        self._slot = slot
        self.total = 0
        self.shown: list[Instance] = []

    def append(self, instance: Instance) -> None:
        self.total += 1 if self._slot is None else int(instance[2][self._slot])
        self.shown.append(instance)
        if len(self.shown) > _KEPT:
            self.shown = self.smallest()

    def smallest(self) -> list[Instance]:
        return nsmallest(WITNESSES, self.shown, key=itemgetter(0))
