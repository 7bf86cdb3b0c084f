"""One rule body as a chain of steps: scans of relations, tests of values, proofs of absence.

The same chain serves evaluation (nothing bound at first), proofs (the head's values bound) and the delta rounds of a
recursive component (one atom reads another relation). ``plan`` gives the order. This module must not know why a body
is joined.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from liqo_connectivity.engine.codegen.term_closures import Bindings, Reader, key_reader, reader, row_reader, slots
from liqo_connectivity.engine.plan.join_order import flatten, order
from liqo_connectivity.engine.storage.relation import Relation
from liqo_connectivity.engine.syntax.arithmetic import COMPARISONS, folded
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Value,
    Variable,
    Wildcard,
    variables,
)

Step = Callable[[Bindings], None]
Lookup = Callable[[int, str], Relation]
"""Gives the relation that the literal at a position of the body reads."""


def compile_join(
    body: Sequence[Literal_],
    slot_of: Mapping[str, int],
    bound: Iterable[str],
    functors: Mapping[str, Functor],
    lookup: Lookup,
    found: Step,
    first: int | None = None,
) -> Step:
    """Compile a body into one step that calls ``found`` with the bindings of each of its instances.

    ``bound`` are the variables whose slots the caller fills before; ``first`` is the position of the atom to begin
    with. The body must be safe. ``found`` must copy what it keeps, since the bindings change afterwards; they may be
    longer than the caller's.
    """
    plain, hidden = flatten(body)
    all_slots = {**slot_of, **{name: len(slot_of) + extra for extra, name in enumerate(hidden)}}
    known = set(bound)
    plans: list[tuple[int, frozenset[str]]] = []
    for position in order(plain, known, first):
        plans.append((position, frozenset(known)))
        known.update(v.name for v in variables(plain[position]))
    step = found
    for position, known_before in reversed(plans):
        step = _compile(plain[position], position, all_slots, known_before, functors, lookup, step)
    if not hidden:
        return step
    room: Bindings = [0] * len(hidden)
    return lambda bindings: step(bindings + room)


def _compile(
    item: Literal_,
    position: int,
    slot_of: Mapping[str, int],
    known: frozenset[str],
    functors: Mapping[str, Functor],
    lookup: Lookup,
    then: Step,
) -> Step:
    match item:
        case Atom():
            return _scan(item, lookup(position, item.relation), slot_of, known, functors, then)
        case Negation(atom=atom):
            return _absent(atom, lookup(position, atom.relation), slot_of, functors, then)
        case Comparison(left=Variable(name=name), right=Aggregate() as aggregate):
            read = _aggregate(aggregate, slot_of, functors, lambda relation: lookup(position, relation))
            return _bind_or_test(slot_of[name], name in known, read, then)
        case Comparison(operator="=", left=Variable(name=name), right=other) if name not in known:
            return _bind(slot_of[name], reader(other, slot_of, functors), then)
        case Comparison(operator="=", left=other, right=Variable(name=name)) if name not in known:
            return _bind(slot_of[name], reader(other, slot_of, functors), then)
        case Comparison():
            return _test(item, slot_of, functors, then)


def _scan(
    atom: Atom,
    relation: Relation,
    slot_of: Mapping[str, int],
    known: frozenset[str],
    functors: Mapping[str, Functor],
    then: Step,
) -> Step:
    keyed: list[int] = []
    written: list[tuple[int, int]] = []
    repeated: list[tuple[int, int]] = []
    seen: set[str] = set()
    for column, term in enumerate(atom.terms):
        if isinstance(term, Wildcard):
            continue
        if not isinstance(term, Variable) or term.name in known:
            keyed.append(column)
        elif term.name in seen:
            repeated.append((slot_of[term.name], column))
        else:
            seen.add(term.name)
            written.append((slot_of[term.name], column))
    if len(keyed) == len(atom.terms):
        read_row, rows = row_reader(atom.terms, slot_of, functors), relation.view()

        def contains(bindings: Bindings) -> None:
            if read_row(bindings) in rows:
                then(bindings)

        return contains
    if not keyed:
        return _each(lambda _: relation, written, repeated, then)
    get = relation.index(keyed).get
    key = key_reader([atom.terms[column] for column in keyed], slot_of, functors)
    nothing: list[tuple[Value, ...]] = []
    return _each(lambda bindings: get(key(bindings), nothing), written, repeated, then)


def _each(
    rows: Callable[[Bindings], Iterable[Row]],
    written: Sequence[tuple[int, int]],
    repeated: Sequence[tuple[int, int]],
    then: Step,
) -> Step:
    """Go on with each row, its columns written into slots; the shapes that most atoms have are spelled out."""
    match written, repeated:
        case [], []:

            def each(bindings: Bindings) -> None:
                for _ in rows(bindings):
                    then(bindings)

        case [(slot, column)], []:

            def each(bindings: Bindings) -> None:
                for row in rows(bindings):
                    bindings[slot] = row[column]
                    then(bindings)

        case [(slot, column), (slot2, column2)], []:

            def each(bindings: Bindings) -> None:
                for row in rows(bindings):
                    bindings[slot] = row[column]
                    bindings[slot2] = row[column2]
                    then(bindings)

        case _:

            def each(bindings: Bindings) -> None:
                for row in rows(bindings):
                    for slot, column in written:
                        bindings[slot] = row[column]
                    for slot, column in repeated:
                        if bindings[slot] != row[column]:
                            break
                    else:
                        then(bindings)

    return each


def _absent(
    atom: Atom, relation: Relation, slot_of: Mapping[str, int], functors: Mapping[str, Functor], then: Step
) -> Step:
    keyed = [column for column, term in enumerate(atom.terms) if not isinstance(term, Wildcard)]
    if not keyed:

        def empty(bindings: Bindings) -> None:
            if not relation:
                then(bindings)

        return empty
    terms = [atom.terms[column] for column in keyed]
    whole = len(keyed) == len(atom.terms)
    key = row_reader(terms, slot_of, functors) if whole else key_reader(terms, slot_of, functors)
    keys: Container[object] = relation.view() if whole else relation.index(keyed)

    def missing(bindings: Bindings) -> None:
        if key(bindings) not in keys:
            then(bindings)

    return missing


def _bind(slot: int, read: Reader, then: Step) -> Step:
    def bind(bindings: Bindings) -> None:
        bindings[slot] = read(bindings)
        then(bindings)

    return bind


def _aggregate(
    aggregate: Aggregate,
    slot_of: Mapping[str, int],
    functors: Mapping[str, Functor],
    relation: Callable[[str], Relation],
) -> Callable[[Bindings], int | None]:
    """Compile an aggregate into a function of the bindings outside: its value, ``None`` for the least of nothing."""
    own_slot = slots(aggregate.body)
    copied = [(slot_of[name], own_slot[name]) for name in aggregate.outer]
    values: list[Value] = []
    # What is counted are the instances: one for each choice of rows.
    value = reader(aggregate.target or Constant(0), own_slot, functors)
    found = compile_join(
        aggregate.body,
        own_slot,
        aggregate.outer,
        functors,
        lambda _, name: relation(name),
        lambda bindings: values.append(value(bindings)),
    )

    def fold(bindings: Bindings) -> int | None:
        values.clear()
        own: Bindings = [0] * len(own_slot)
        for outside, inside in copied:
            own[inside] = bindings[outside]
        found(own)
        return folded(aggregate.kind, values)

    return fold


def _bind_or_test(slot: int, known: bool, read: Callable[[Bindings], int | None], then: Step) -> Step:
    def bind(bindings: Bindings) -> None:
        value = read(bindings)
        if value is not None:
            bindings[slot] = value
            then(bindings)

    def test(bindings: Bindings) -> None:
        if read(bindings) == bindings[slot]:
            then(bindings)

    return test if known else bind


def _test(item: Comparison, slot_of: Mapping[str, int], functors: Mapping[str, Functor], then: Step) -> Step:
    compare = COMPARISONS[item.operator]
    left, right = reader(item.left, slot_of, functors), reader(item.right, slot_of, functors)

    def test(bindings: Bindings) -> None:
        if compare(left(bindings), right(bindings)):
            then(bindings)

    return test
