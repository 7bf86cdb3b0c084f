"""What explains an absence is true, and nothing gets further: by brute force on random programs."""

from collections.abc import Mapping
from itertools import product

import pytest

from liqo_connectivity.engine import (
    Facts,
    Model,
    Program,
    Proof,
    Row,
    Value,
    evaluate,
)
from liqo_connectivity.engine.syntax.arithmetic import EvaluationError
from liqo_connectivity.engine.syntax.nodes import (
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Variable,
    Wildcard,
    variables,
)
from liqo_connectivity.engine.why_not.absence import Absence, pattern
from liqo_connectivity.engine.why_not.partial_match import Budget, longest_match
from tests.support.absences import absences
from tests.support.explaining import why_not
from tests.support.naive import compare, environments, value
from tests.support.proof_checker import check
from tests.support.random_programs import random_program
from tests.support.small_programs import COLUMNS, declarations, domain, small_facts, small_rules

# ---- Properties ----


def holds(item: Literal_, model: Model) -> bool:
    """Tell by brute force whether a literal holds for some value of each variable left in it."""
    if isinstance(item, Comparison):
        try:
            return compare(item.operator, value(item.left, {}), value(item.right, {}))
        except ZeroDivisionError:
            return False
    atom = item.atom if isinstance(item, Negation) else item
    found = any(_matches(atom, row) for row in model.rows(atom.relation))
    return found != isinstance(item, Negation)


def _matches(atom: Atom, row: Row) -> bool:
    env: dict[str, Value] = {}
    for term, seen in zip(atom.terms, row, strict=True):
        if isinstance(term, Variable):
            if env.setdefault(term.name, seen) != seen:
                return False
        elif not isinstance(term, Wildcard) and not variables(term) and value(term, {}) != seen:
            return False
    return True


def verify(found: Absence, model: Model, facts: Facts) -> None:
    for absence in absences(found):
        assert not any(_matches(absence.goal, row) for row in model.rows(absence.goal.relation))
        rules = model.program.rules_by_head.get(absence.goal.relation, ())
        assert (absence.reason == "asserted") == (not rules)
        if absence.reason != "derived":
            continue
        assert {f.rule for f in absence.failures} | set(absence.others) == set(rules)
        gains = [len(f.holding) for f in absence.failures]
        assert gains == sorted(gains, reverse=True)
        for failure in absence.failures:
            assert all(not variables(item) for item in failure.holding if not isinstance(item, Atom))
            assert all(holds(item, model) for item in failure.holding), failure
            assert not holds(failure.failing, model), failure
            if isinstance(failure.because, Proof):
                check(failure.because, model, facts)


@pytest.mark.parametrize("seed", range(150))
def test_random_programs(seed: int) -> None:
    text, facts = random_program(seed, texts=True)
    program = Program.parse({"r.dl": text})
    try:
        model = evaluate(program, facts)
    except EvaluationError:
        return
    values: dict[str, list[Value]] = {"symbol": ["a", "??", "", "10.1.2.3"], "number": [-1, 0, 7]}
    asked = 0
    for name, declaration in program.schema.relations.items():
        columns = [values[column.type] for column in declaration.columns]
        for row in list(product(*columns))[:: max(1, 7 - len(columns))]:
            found = why_not(model, pattern(name, row))
            assert (found is None) == model.contains(name, row)
            if found is not None:
                verify(found, model, facts)
                asked += 1
        anything = why_not(model, pattern(name, [None] * len(columns)))
        assert (anything is None) == bool(model.rows(name))
        if anything is not None:
            verify(anything, model, facts)
    assert asked


@pytest.mark.parametrize("seed", range(60))
def test_no_other_values_get_further(seed: int) -> None:
    """The prefix is as long as brute force finds any, over the body in the same order, and its values the smallest."""
    program = Program.parse({"s.dl": declarations() + "\n".join(small_rules(seed))})
    model = evaluate(program, small_facts(seed))
    database = {name: set(model.rows(name)) for name in COLUMNS}
    for rule in program.rules:
        heads = [t.value if isinstance(t, Constant) else None for t in rule.head.terms]
        if not rule.body or why_not(model, pattern(rule.head.relation, heads)) is None:
            continue
        prefix = longest_match(model, rule.body, {}, Budget(100_000))
        names = {v.name for item in prefix.body for v in variables(item)}
        if len(names) > 5:
            continue
        lengths = [_length(prefix.body, env, database) for env in environments(prefix.body, domain)]
        assert prefix.holding == max(lengths)
        assert prefix.complete


def _length(body: tuple[Literal_, ...], env: Mapping[str, Value], database: Mapping[str, set[Row]]) -> int:
    for count, item in enumerate(body):
        if isinstance(item, Comparison):
            good = compare(item.operator, value(item.left, env), value(item.right, env))
        else:
            atom = item.atom if isinstance(item, Negation) else item
            wanted = [None if isinstance(t, Wildcard) else value(t, env) for t in atom.terms]
            there = any(
                all(w is None or w == v for w, v in zip(wanted, row, strict=True)) for row in database[atom.relation]
            )
            good = there != isinstance(item, Negation)
        if not good:
            return count
    return len(body)
