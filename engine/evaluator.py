"""The reference evaluator: bottom-up, component by component, simple enough to be seen to be right.

Each component is computed once, after all that it needs, a recursive one in rounds. It stays as the oracle for faster
evaluators. This module must not know what any relation means.
"""

from collections.abc import Mapping

from liqo_connectivity.engine.model import Facts, Model, load_facts
from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.rounds import derive, derive_in_rounds
from liqo_connectivity.engine.storage.relation import Relation


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
    if component.recursive:
        derive_in_rounds(component, relations, program.functors)
        return
    for rule in component.rules:
        relations[rule.head.relation].add_all(derive(rule, lambda _, name: relations[name], program.functors))
