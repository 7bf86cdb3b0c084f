"""The reference evaluator: bottom-up, component by component, simple enough to be seen to be right.

Each component is computed once, after all that it needs. A recursive one is computed by semi-naive iteration (Bancilhon
1986): after the rules that do not recurse, each round joins every recursive atom in turn with only the tuples that the
round before found, until a round finds none. It stays as the oracle for faster evaluators. This module must not know
what any relation means.
"""

from collections.abc import Mapping

from liqo_connectivity.engine.bindings import Bindings, row_reader, slots
from liqo_connectivity.engine.join import Lookup, compile_join
from liqo_connectivity.engine.model import Facts, Model, load_facts
from liqo_connectivity.engine.program import Program
from liqo_connectivity.engine.relation import Relation
from liqo_connectivity.engine.strata import Component
from liqo_connectivity.engine.syntax import Atom, Row, Rule


def evaluate(program: Program, facts: Facts) -> Model:
    """Derive everything that follows from the facts. Raises FactError and EvaluationError."""
    loaded = load_facts(program, facts)
    relations: dict[str, Relation] = {
        name: Relation(rows) for name, rows in loaded.items() if name in program.rules_by_head
    }
    complete: dict[str, Relation] = {**loaded, **relations}
    for name in program.schema.relations:
        complete.setdefault(name, Relation())
    for component in program.components:
        _evaluate_component(component, complete, program)
    return Model(program, loaded, complete)


def _evaluate_component(component: Component, relations: Mapping[str, Relation], program: Program) -> None:
    def whole(_: int, name: str) -> Relation:
        return relations[name]

    recursive = [(rule, positions) for rule in component.rules if (positions := _recursive_positions(rule, component))]
    for rule in component.rules:
        if not _recursive_positions(rule, component):
            relations[rule.head.relation].add_all(derive(rule, whole, program))
    # Facts given for a recursive relation are among the tuples that the first round starts from.
    last = {name: Relation(relations[name]) for name in component.relations} if recursive else {}
    while any(last.values()):
        found: dict[str, list[Row]] = {name: [] for name in component.relations}
        for rule, positions in recursive:
            for position in positions:
                rows = derive(rule, _delta_lookup(position, last, relations), program, position)
                found[rule.head.relation] += relations[rule.head.relation].add_all(rows)
        last = {name: Relation(rows) for name, rows in found.items()}


def _recursive_positions(rule: Rule, component: Component) -> list[int]:
    return [p for p, item in enumerate(rule.body) if isinstance(item, Atom) and item.relation in component.relations]


def _delta_lookup(position: int, last: Mapping[str, Relation], relations: Mapping[str, Relation]) -> Lookup:
    return lambda at, name: last[name] if at == position else relations[name]


def derive(rule: Rule, lookup: Lookup, program: Program, first: int | None = None) -> list[Row]:
    """List the heads of all instances of a rule, with repetitions; ``first`` is the atom to begin the join with."""
    slot_of = slots((rule.head, *rule.body))
    read_head = row_reader(rule.head.terms, slot_of, program.functors)
    rows: list[Row] = []
    append = rows.append

    def found(bindings: Bindings) -> None:
        append(read_head(bindings))

    compile_join(rule.body, slot_of, (), program.functors, lookup, found, first)([0] * len(slot_of))
    return rows
