"""The premises of a derived tuple in its proof: one for each literal of the rule, in order.

They are compiled once for a rule. An atom gives the proof of its tuple, a negation the absent tuples, a comparison its
text with values. A comparison with an aggregate shows the witnesses and the values that were passed over.
"""

from collections.abc import Callable, Mapping

from liqo_connectivity.engine.proofs.proof import Absent, Aggregated, Holds, Premise, Proof
from liqo_connectivity.engine.proofs.rule_instances import BackwardJoin, Instance, Tuple, Witnesses
from liqo_connectivity.engine.proofs.term_readers import key_reader, reader
from liqo_connectivity.engine.storage.lookups import finder, listed
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
)
from liqo_connectivity.engine.syntax.printer import format_comparison, format_term, format_value
from liqo_connectivity.engine.syntax.substitution import ground, ground_comparison

_Side = Callable[[Row], Premise]
"""Makes the premise of a negation or comparison from the values that an instance keeps."""
_Offers = Callable[[int, Row], tuple[int, ...]]
"""Lists the values passed over for the value of an aggregate."""


class Premises:
    """The premises of one conjunction's instances."""

    def __init__(
        self, body: BackwardJoin, functors: Mapping[str, Functor], tables: Mapping[str, Table] | None = None
    ) -> None:
        """Compile a body; ``tables`` are for looking up the values that aggregates passed over."""
        self._partitions: list[_Side | _Shown | None] = []
        aggregates = iter(body.aggregates)
        for item in body.body:
            if isinstance(item, Atom):
                self._partitions.append(None)
            elif isinstance(item, Comparison) and aggregate_of(item):
                found = next(aggregates)
                self._partitions.append(
                    _Shown(item, found.aggregate, Premises(found.inner, functors), body, functors, tables)
                )
            else:
                self._partitions.append(_side(item, body.slot_of, functors))
        self._atoms_only = all(part is None for part in self._partitions)

    def of(self, instance: Instance, proofs: Mapping[Tuple, Proof]) -> tuple[Premise, ...]:
        """Return the premises of an instance from the proofs of its needs."""
        needs, _, values, witnesses = instance
        if self._atoms_only:
            return tuple(map(proofs.__getitem__, needs))
        found, shown = iter(needs), iter(witnesses)
        return tuple(
            [
                proofs[next(found)]
                if part is None
                else part.premise(next(shown), values, proofs)
                if isinstance(part, _Shown)
                else part(values)
                for part in self._partitions
            ]
        )


class _Shown:
    """A comparison with an aggregate."""

    def __init__(
        self,
        item: Comparison,
        aggregate: Aggregate,
        inner: Premises,
        body: BackwardJoin,
        functors: Mapping[str, Functor],
        tables: Mapping[str, Table] | None,
    ) -> None:
        self._item = item
        self._inner = inner
        self._names = tuple(body.slot_of)
        self._offers = _offers(item, aggregate, body, functors, tables) if tables is not None else None

    def premise(self, witnesses: Witnesses, values: Row, proofs: Mapping[Tuple, Proof]) -> Aggregated:
        comparison = ground_comparison(self._item, dict(zip(self._names, values, strict=True)))
        shown = tuple(self._inner.of(instance, proofs) for instance in witnesses.shown)
        passed_over = self._offers(witnesses.value, values) if self._offers is not None else ()
        return Aggregated(comparison, witnesses.value, shown, passed_over)


def _side(item: Literal_, slot_of: Mapping[str, int], functors: Mapping[str, Functor]) -> _Side:
    if isinstance(item, Comparison):
        left, right = _text(item.left, slot_of), _text(item.right, slot_of)
        return lambda values: Holds(format_comparison(item, left(values), right(values)))
    assert isinstance(item, Negation)
    relation = item.atom.relation
    terms = [None if isinstance(t, Wildcard) else reader(t, slot_of, functors) for t in item.atom.terms]
    return lambda values: Absent(relation, tuple([None if read is None else read(values) for read in terms]))


def _text(term: Term, slot_of: Mapping[str, int]) -> Callable[[Row], str]:
    """Compile a term into a function that formats it with values in place of variables."""
    match term:
        case Variable(name=name):
            slot = slot_of[name]
            return lambda values: format_value(values[slot])
        case Constant(value=value):
            written = format_value(value)
            return lambda _: written
        case Call(functor=functor, arguments=arguments):
            parts = [_text(argument, slot_of) for argument in arguments]
            return lambda values: f"@{functor}({', '.join([part(values) for part in parts])})"
        case _:
            return lambda values: format_term(ground(term, {name: values[slot] for name, slot in slot_of.items()}))


def _offers(
    item: Comparison,
    aggregate: Aggregate,
    body: BackwardJoin,
    functors: Mapping[str, Functor],
    tables: Mapping[str, Table],
) -> _Offers | None:
    """Compile the search for the values of an atom of the rule that beat the value of a ``min`` or ``max``.

    For ``V = min X : { ... }``, the atom is the first one with ``V`` in a column; only its rows with the values of the
    aggregate's outer variables count.
    """
    name = next((side.name for side in (item.left, item.right) if isinstance(side, Variable)), None)
    if aggregate.adds or item.operator != "=" or name is None:
        return None
    places = [
        (atom, column)
        for atom in body.body
        if isinstance(atom, Atom)
        for column, term in enumerate(atom.terms)
        if isinstance(term, Variable) and term.name == name
    ]
    if not places:
        return None
    atom, place = places[0]
    fixed = {
        column: term
        for column, term in enumerate(atom.terms)
        if isinstance(term, Constant) or (isinstance(term, Variable) and term.name in aggregate.outer)
    }
    rows = tables[atom.relation].rows
    find = finder(tables[atom.relation], tuple(fixed)) if fixed else None
    key = key_reader(list(fixed.values()), body.slot_of, functors) if fixed else None

    def offers(value: int, values: Row) -> tuple[int, ...]:
        bucket = rows if find is None or key is None else find(key(values))
        found = {int(row[place]) for row in listed(bucket)}
        if aggregate.kind == "min":
            return tuple(sorted(number for number in found if number < value))
        return tuple(sorted((number for number in found if number > value), reverse=True))

    return offers
