"""Is this proof one? Checked against the rules and the facts alone, by other means than those that found it.

``check`` looks at each step; ``least_heights`` computes from all instances of all rules, as Bellman would, how high the
lowest proof of every tuple is.
"""

from collections.abc import Iterable, Mapping

from naive import Database, Domain, compare, environments, matches, value

from liqo_connectivity.engine import Absent, Holds, Model, Program, Proof, Row, Value
from liqo_connectivity.engine.parser import parse_goal
from liqo_connectivity.engine.syntax import Atom, Comparison, Negation, Rule, Variable, Wildcard

Facts = Mapping[str, Iterable[Row]]


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
        below = [premise.height for premise in node.premises if isinstance(premise, Proof)]
        assert node.height == (1 + max(below, default=0) if node.rule.body else 0)
        env = _environment(node, node.rule)
        assert tuple(value(term, env) for term in node.rule.head.terms) == node.row
        for item, premise in zip(node.rule.body, node.premises, strict=True):
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
            else:
                assert isinstance(premise, Holds)
                assert compare(item.operator, value(item.left, env), value(item.right, env))
                shown = parse_goal(str(premise))
                assert isinstance(shown, Comparison)
                assert compare(shown.operator, value(shown.left, {}), value(shown.right, {}))


def _environment(node: Proof, rule: Rule) -> dict[str, Value]:
    """Read the values of a rule's variables off the premises, then off the equations."""
    env: dict[str, Value] = {}
    for item, premise in zip(rule.body, node.premises, strict=True):
        if isinstance(item, Atom):
            assert isinstance(premise, Proof)
            pairs = zip(item.terms, premise.row, strict=True)
            env.update({term.name: found for term, found in pairs if isinstance(term, Variable)})
    for _ in rule.body:
        for item in rule.body:
            if isinstance(item, Comparison) and item.operator == "=":
                for target, other in ((item.left, item.right), (item.right, item.left)):
                    if isinstance(target, Variable) and target.name not in env:
                        try:
                            env[target.name] = value(other, env)
                        except KeyError:
                            continue
    return env


def least_heights(program: Program, facts: Facts, database: Database, domain: Domain) -> dict[tuple[str, Row], int]:
    """Give the height of the lowest proof of every tuple."""
    height = {(relation, tuple(row)): 0 for relation, rows in facts.items() for row in rows}
    instances: list[tuple[tuple[str, Row], list[list[tuple[str, Row]]], bool]] = []
    for rule in program.rules:
        for env in environments([rule.head, *rule.body], domain):
            premises = [
                [(item.relation, row) for row in database[item.relation] if matches(item, row, env)]
                for item in rule.body
                if isinstance(item, Atom)
            ]
            sides = [item for item in rule.body if not isinstance(item, Atom)]
            if all(premises) and all(_side_holds(item, env, database) for item in sides):
                head = (rule.head.relation, tuple(value(term, env) for term in rule.head.terms))
                instances.append((head, premises, bool(rule.body)))
    changed = True
    while changed:
        changed = False
        for head, premises, has_body in instances:
            if all(any(need in height for need in needs) for needs in premises):
                lowest = [min(height[need] for need in needs if need in height) for needs in premises]
                found = 1 + max(lowest, default=0) if has_body else 0
                if found < height.get(head, found + 1):
                    height[head], changed = found, True
    return height


def _side_holds(item: Negation | Comparison, env: Mapping[str, Value], database: Database) -> bool:
    if isinstance(item, Negation):
        return not any(matches(item.atom, row, env) for row in database[item.atom.relation])
    return compare(item.operator, value(item.left, env), value(item.right, env))
