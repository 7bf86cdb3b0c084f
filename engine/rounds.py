"""A recursive component, derived round by round from the relations below it, which are complete.

Semi-naive iteration (Bancilhon 1986): each round joins every recursive atom in turn with only the tuples that the round
before found, until a round finds none. The round that finds a tuple first is its rank: the least height of its proofs,
where what is below the component counts as nothing. This module must not know what any relation means.
"""

from collections.abc import Mapping

from liqo_connectivity.engine.codegen.term_closures import Bindings, row_reader, slots
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.storage.relation import Relation
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import Atom, Row, Rule
from liqo_connectivity.engine.why_not.join import Lookup, compile_join

Ranks = Mapping[str, Mapping[Row, int]]
"""The rank of each row, by relation."""


def derive_in_rounds(
    component: Component, relations: Mapping[str, Relation], functors: Mapping[str, Functor]
) -> dict[str, dict[Row, int]]:
    """Fill the relations of a component, which hold what was given for them; give the rank of each row.

    A row that was given, or that a rule without a body states, has rank 0. Raises EvaluationError.
    """

    def whole(_: int, name: str) -> Relation:
        return relations[name]

    recursive = [(rule, _recursive_positions(rule, component)) for rule in component.rules]
    ranks: dict[str, dict[Row, int]] = {name: {} for name in component.relations}
    last = {name: Relation(relations[name]) for name in component.relations}
    for rule in component.rules:
        if not rule.body:
            last[rule.head.relation].add_all(relations[rule.head.relation].add_all(derive(rule, whole, functors)))
    number = 0
    while True:
        for name, rows in last.items():
            ranks[name].update(dict.fromkeys(rows, number))
        if number > 0 and not any(last.values()):
            return ranks
        number += 1
        found: dict[str, list[Row]] = {name: [] for name in component.relations}
        for rule, positions in recursive:
            for position in positions:
                lookup = _delta_lookup(position, last, relations)
                found[rule.head.relation] += derive(rule, lookup, functors, position)
            if number == 1 and not positions:
                found[rule.head.relation] += derive(rule, whole, functors)
        last = {name: Relation(relations[name].add_all(rows)) for name, rows in found.items()}


def _recursive_positions(rule: Rule, component: Component) -> list[int]:
    return [p for p, item in enumerate(rule.body) if isinstance(item, Atom) and item.relation in component.relations]


def _delta_lookup(position: int, last: Mapping[str, Relation], relations: Mapping[str, Relation]) -> Lookup:
    return lambda at, name: last[name] if at == position else relations[name]


def derive(rule: Rule, lookup: Lookup, functors: Mapping[str, Functor], first: int | None = None) -> list[Row]:
    """List the heads of all instances of a rule, with repetitions; ``first`` is the atom to begin the join with."""
    slot_of = slots((rule.head, *rule.body))
    read_head = row_reader(rule.head.terms, slot_of, functors)
    rows: list[Row] = []
    append = rows.append

    def found(bindings: Bindings) -> None:
        append(read_head(bindings))

    compile_join(rule.body, slot_of, (), functors, lookup, found, first)([0] * len(slot_of))
    return rows
