"""Is this proof one? Checked against the rules and the facts alone, by other means than those that found it.

``check`` looks at each step; ``least_heights`` computes from all instances of all rules, as Bellman would, how high the
lowest proof of every tuple is.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from liqo_connectivity.engine import Absent, Aggregated, Holds, Model, Program, Proof, Row, Value
from liqo_connectivity.engine.proofs.proof import Premise, premises
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Literal_,
    Negation,
    Term,
    Variable,
    Wildcard,
    variables,
)
from liqo_connectivity.engine.syntax.parser import parse_goal
from tests.support.naive import Database, Domain, aggregated, compare, environments, holds, instances, matches, value

Facts = Mapping[str, Iterable[Row]]
Needed = tuple[str, Row]


def check(proof: Proof, model: Model, facts: Facts) -> None:
    """Raise AssertionError at the first step that is none."""
    given = {(relation, tuple(row)) for relation, rows in facts.items() for row in rows}
    for node in proof.walk():
        if not isinstance(node, Proof):
            continue
        if node.rule is None:
            assert (node.relation, node.row) in given
            assert (node.premises, node.height) == ((), 0)
            continue
        assert (node.relation, node.row) not in given, "a fact needs no rule"
        assert node.rule in model.program.rules
        assert node.rule.head.relation == node.relation
        below = [premise.height for premise in _proofs_below(node)]
        assert node.height == (1 + max(below, default=0) if node.rule.body else 0)
        env = _environment(node.rule.body, node.premises, {})
        assert tuple(value(term, env) for term in node.rule.head.terms) == node.row
        _check_premises(node.rule.body, node.premises, env, model)


def _proofs_below(node: Premise) -> list[Proof]:
    """List the proofs of a node's premises, and of those of its aggregates' witnesses."""
    return [
        p for premise in premises(node) for p in ([premise] if isinstance(premise, Proof) else _proofs_below(premise))
    ]


def _check_premises(body: Sequence[Literal_], found: Sequence[Premise], env: Mapping[str, Value], model: Model) -> None:
    for item, premise in zip(body, found, strict=True):
        aggregate = next((side for side in _sides(item) if isinstance(side, Aggregate)), None)
        if isinstance(item, Atom):
            assert isinstance(premise, Proof)
            assert premise.relation == item.relation
            assert matches(item, premise.row, env)
            assert premise.row in model.rows(premise.relation)
        elif isinstance(item, Negation):
            assert isinstance(premise, Absent)
            wanted = [None if isinstance(t, Wildcard) else value(t, env) for t in item.atom.terms]
            assert (premise.relation, list(premise.pattern)) == (item.atom.relation, wanted)
            assert not any(matches(item.atom, row, env) for row in model.rows(item.atom.relation))
        elif aggregate is None:
            assert isinstance(premise, Holds)
            assert compare(item.operator, value(item.left, env), value(item.right, env))
            shown = parse_goal(str(premise))
            assert isinstance(shown, Comparison)
            assert compare(shown.operator, value(shown.left, {}), value(shown.right, {}))
        else:
            assert isinstance(premise, Aggregated)
            _check_aggregate(item, aggregate, premise, env, model)


def _sides(item: Literal_) -> tuple[Term, ...]:
    return (item.left, item.right) if isinstance(item, Comparison) else ()


def _check_aggregate(
    item: Comparison, aggregate: Aggregate, premise: Aggregated, env: Mapping[str, Value], model: Model
) -> None:
    """Check the value against all rows, by trying every value that occurs; and that the witnesses are instances."""
    database = {name: set(model.rows(name)) for name in model.program.schema.relations}
    outer = {name: found for name, found in env.items() if name in aggregate.outer}
    assert premise.value == aggregated(aggregate, outer, database, _candidates(aggregate, database))
    sides = [premise.value if isinstance(side, Aggregate) else value(side, env) for side in _sides(item)]
    assert compare(item.operator, *sides)
    shown = parse_goal(str(premise))
    assert isinstance(shown, Comparison)
    again = next(side for side in _sides(shown) if isinstance(side, Aggregate))
    assert premise.value == aggregated(again, {}, database, _candidates(aggregate, database))
    known = instances(aggregate, outer, database, _candidates(aggregate, database))
    expected = min(len(known), 3) if aggregate.kind in ("count", "sum") else 1
    assert len(premise.witnesses) == expected
    assert len({tuple(map(str, witness)) for witness in premise.witnesses}) == expected
    for witness in premise.witnesses:
        inner = _environment(aggregate.body, witness, outer)
        _check_premises(aggregate.body, witness, inner, model)
        assert aggregate.target is None or aggregate.kind == "sum" or inner[aggregate.target.name] == premise.value
    for passed in premise.passed_over:
        assert passed < premise.value if aggregate.kind == "min" else passed > premise.value
        assert passed not in known
    for missing in premise.missing():
        assert not any(
            all(v is None or v == found for v, found in zip(missing.pattern, row, strict=True))
            for row in model.rows(missing.relation)
        )


def _candidates(aggregate: Aggregate, database: Database) -> Domain:
    """Give for each variable of a body the values in the columns where it stands; a computed one can be any number."""
    columns: dict[str, list[set[Value]]] = {}
    for item in aggregate.body:
        if not isinstance(item, Atom):
            continue
        for column, term in enumerate(item.terms):
            if isinstance(term, Variable):
                columns.setdefault(term.name, []).append({row[column] for row in database[item.relation]})
    return lambda name: list(set.intersection(*columns[name])) if name in columns else range(-50, 51)


def _environment(body: Sequence[Literal_], found: Sequence[Premise], known: Mapping[str, Value]) -> dict[str, Value]:
    """Read the values of variables off the premises, then off the equations."""
    env = dict(known)
    for item, premise in zip(body, found, strict=True):
        if isinstance(item, Atom):
            assert isinstance(premise, Proof)
            pairs = zip(item.terms, premise.row, strict=True)
            env.update({term.name: row for term, row in pairs if isinstance(term, Variable)})
    for _ in body:
        for item, premise in zip(body, found, strict=True):
            if isinstance(item, Comparison) and item.operator == "=":
                for target, other in ((item.left, item.right), (item.right, item.left)):
                    if isinstance(target, Variable) and target.name not in env:
                        if isinstance(other, Aggregate):
                            assert isinstance(premise, Aggregated)
                            env[target.name] = premise.value
                            continue
                        try:
                            env[target.name] = value(other, env)
                        except KeyError:
                            continue
    return env


def least_heights(program: Program, facts: Facts, database: Database, domain: Domain) -> dict[tuple[str, Row], int]:
    """Give the height of the lowest proof of every tuple."""
    height = {(relation, tuple(row)): 0 for relation, rows in facts.items() for row in rows}
    # For each premise the choices that it leaves, and for each choice the tuples that it needs.
    found: list[tuple[Needed, list[list[list[Needed]]], bool]] = []
    for rule in program.rules:
        for env in environments([rule.head, *rule.body], domain):
            if not all(holds(item, env, database, domain) for item in rule.body):
                continue
            choices = [
                [[(item.relation, row)] for row in database[item.relation] if matches(item, row, env)]
                for item in rule.body
                if isinstance(item, Atom)
            ]
            sides = (side for item in rule.body for side in _sides(item))
            choices += [_evidence(side, env, database, domain) for side in sides if isinstance(side, Aggregate)]
            head = (rule.head.relation, tuple(value(term, env) for term in rule.head.terms))
            found.append((head, choices, bool(rule.body)))
    changed = True
    while changed:
        changed = False
        for head, premises_, has_body in found:
            if all(any(all(need in height for need in needs) for needs in choices) for choices in premises_):
                lowest = [
                    min(
                        max((height[need] for need in needs), default=0)
                        for needs in choices
                        if all(need in height for need in needs)
                    )
                    for choices in premises_
                ]
                new = 1 + max(lowest, default=0) if has_body else 0
                if new < height.get(head, new + 1):
                    height[head], changed = new, True
    return height


def _evidence(aggregate: Aggregate, env: Mapping[str, Value], database: Database, domain: Domain) -> list[list[Needed]]:
    """Give the choices of witnesses: for a count the first three instances, else each that has the value."""
    atoms = [item for item in aggregate.body if isinstance(item, Atom)]
    names = sorted({v.name for item in aggregate.body for v in variables(item)} - set(env))
    found: list[tuple[list[Needed], int]] = []
    for chosen in product(*map(domain, names)):
        inner = {**env, **dict(zip(names, chosen, strict=True))}
        if all(holds(item, inner, database, domain) for item in aggregate.body):
            rows = [[(a.relation, row) for row in database[a.relation] if matches(a, row, inner)] for a in atoms]
            worth = int(inner[aggregate.target.name]) if aggregate.target else 0
            found += [(list(needs), worth) for needs in product(*rows)]
    if aggregate.kind in ("count", "sum"):
        return [[need for needs, _ in sorted(found)[:3] for need in needs]]
    best = aggregated(aggregate, env, database, domain)
    return [needs for needs, worth in found if worth == best]
