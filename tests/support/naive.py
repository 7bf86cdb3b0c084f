"""What a program means, by brute force: try every value for every variable, until nothing new follows.

No index, no join order, no normal form, no semi-naive rounds: so little that it can share no fault with the engine.
Only the parser is the engine's. The caller says which values are tried for a variable.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

from liqo_connectivity.engine import Program, Row, Value
from liqo_connectivity.engine.syntax.functors import BUILTIN
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Body,
    Call,
    Clause,
    Comparison,
    Conjunction,
    Constant,
    Disjunction,
    Negation,
    Term,
    Variable,
    Wildcard,
    variables,
)

FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    **BUILTIN,
    "match": lambda pattern, text: int(re.fullmatch(pattern, text) is not None),
    "contains": lambda part, text: int(part in text),
}
Database = dict[str, set[Row]]
Environment = Mapping[str, Value]
Domain = Callable[[str], Sequence[Value]]
"""The values to try for a variable, by its name."""


def value(term: Term, env: Environment) -> Value:
    """Compute a term; division truncates towards zero."""
    match term:
        case Constant(value=constant):
            return constant
        case Variable(name=name):
            return env[name]
        case Call(functor=functor, arguments=arguments):
            return FUNCTIONS[functor](*[value(argument, env) for argument in arguments])
        case Arithmetic(operator=symbol, left=left, right=right):
            a, b = int(value(left, env)), int(value(right, env))
            results = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: int(a / b)}
            return results[symbol]() if symbol != "%" else a - b * int(a / b)
        case Wildcard() | Aggregate():
            raise AssertionError("it has no value")


def instances(aggregate: Aggregate, env: Environment, database: Database, domain: Domain) -> list[int]:
    """List what the aggregate goes over: its target's value, or 1, once for each choice of rows that makes it hold."""
    names = sorted({v.name for item in aggregate.body for v in variables(item)} - set(env))
    found: list[int] = []
    for chosen in product(*map(domain, names)):
        inner = {**env, **dict(zip(names, chosen, strict=True))}
        choices = 1
        for item in aggregate.body:
            if isinstance(item, Atom):
                choices *= sum(matches(item, row, inner) for row in database[item.relation])
            else:
                choices *= holds(item, inner, database, domain)
        found += [int(inner[aggregate.target.name]) if aggregate.target else 1] * choices
    return found


def aggregated(aggregate: Aggregate, env: Environment, database: Database, domain: Domain) -> int | None:
    """Compute an aggregate; ``None`` if it has no value."""
    found = instances(aggregate, env, database, domain)
    if aggregate.kind in ("count", "sum"):
        return sum(found)
    return (min if aggregate.kind == "min" else max)(found) if found else None


def compare(symbol: str, a: Value, b: Value) -> bool:
    if type(a) is not type(b):
        return symbol == "!="
    less, same = (a < b) if isinstance(a, int) and isinstance(b, int) else (str(a) < str(b)), a == b
    answers = {"=": same, "!=": not same, "<": less, "<=": less or same, ">": not less and not same, ">=": not less}
    return answers[symbol]


def matches(atom: Atom, row: Row, env: Environment) -> bool:
    pairs = zip(atom.terms, row, strict=True)
    return all(isinstance(term, Wildcard) or value(term, env) == found for term, found in pairs)


def holds(body: Body | None, env: Environment, database: Database, domain: Domain) -> bool:
    match body:
        case None:
            return True
        case Atom():
            return any(matches(body, row, env) for row in database[body.relation])
        case Negation(atom=atom):
            return not any(matches(atom, row, env) for row in database[atom.relation])
        case Comparison(operator=symbol, left=left, right=right):
            a, b = (
                aggregated(side, env, database, domain) if isinstance(side, Aggregate) else value(side, env)
                for side in (left, right)
            )
            return a is not None and b is not None and compare(symbol, a, b)
        case Conjunction(items=items):
            return all(holds(item, env, database, domain) for item in items)
        case Disjunction(alternatives=branches):
            return any(holds(branch, env, database, domain) for branch in branches)


def literals(body: Body | None) -> Iterator[Atom | Negation | Comparison]:
    match body:
        case None:
            return
        case Conjunction(items=parts) | Disjunction(alternatives=parts):
            for part in parts:
                yield from literals(part)
        case _:
            yield body


def environments(items: Iterable[Atom | Negation | Comparison], domain: Domain) -> Iterator[Environment]:
    names = sorted({variable.name for item in items for variable in variables(item)})
    for chosen in product(*map(domain, names)):
        yield dict(zip(names, chosen, strict=True))


def levels(clauses: Sequence[Clause], relations: Iterable[str]) -> dict[str, int]:
    """Count for each relation the negations and aggregates below it."""
    level = dict.fromkeys(relations, 0)
    for _ in range(len(level) + 1):
        for clause in clauses:
            for item in literals(clause.body):
                for head in clause.heads:
                    if isinstance(item, Atom):
                        level[head.relation] = max(level[head.relation], level[item.relation])
                    elif isinstance(item, Negation):
                        level[head.relation] = max(level[head.relation], level[item.atom.relation] + 1)
                    for side in (item.left, item.right) if isinstance(item, Comparison) else ():
                        for inner in side.body if isinstance(side, Aggregate) else ():
                            if not isinstance(inner, Comparison):
                                name = inner.relation if isinstance(inner, Atom) else inner.atom.relation
                                level[head.relation] = max(level[head.relation], level[name] + 1)
    return level


def naive(program: Program, facts: Mapping[str, Iterable[Row]], domain: Domain) -> Database:
    """Give every relation, complete."""
    clauses = [statement for statement in program.statements if isinstance(statement, Clause)]
    database: Database = {name: set(facts.get(name, ())) for name in program.schema.relations}
    level = levels(clauses, database)
    for stratum in range(max(level.values(), default=0) + 1):
        while True:
            new = {
                (head.relation, tuple(value(term, env) for term in head.terms))
                for clause in clauses
                if any(level[head.relation] == stratum for head in clause.heads)
                for env in environments([*clause.heads, *literals(clause.body)], domain)
                if holds(clause.body, env, database, domain)
                for head in clause.heads
                if level[head.relation] == stratum
            }
            if all(row in database[relation] for relation, row in new):
                break
            for relation, row in new:
                database[relation].add(row)
    return database
