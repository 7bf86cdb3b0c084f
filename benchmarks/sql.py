"""A program without functors as SQL, derived from nothing at each run: what a database without our maintenance can do.

Each relation is a table, each component one ``INSERT``: a union of joins, recursive where the component is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from liqo_connectivity.engine import Program, Row
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.syntax.nodes import Atom, Comparison, Constant, Negation, Rule, Term, Value, Variable

Execute = Callable[[str, Sequence[Value]], Any]
_TYPES = {"symbol": "TEXT", "number": "INTEGER"}


def tables(program: Program) -> Iterator[str]:
    """Give the statements that declare a table for each relation, columns ``c0``, ``c1``, …"""
    for name, declaration in program.schema.relations.items():
        kinds = (_TYPES[program.schema.root(column.type)] for column in declaration.columns)
        yield f'CREATE TABLE "{name}" ({", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))})'


def negated_columns(program: Program) -> Iterator[str]:
    """Give the statements that index what negations look up, which no engine does by itself."""
    wanted: dict[tuple[str, tuple[int, ...]], None] = {}
    for rule in program.rules:
        for item in rule.body:
            if isinstance(item, Negation):
                bound = [c for c, term in enumerate(item.atom.terms) if isinstance(term, Variable | Constant)]
                wanted[item.atom.relation, tuple(bound)] = None
    for number, (name, columns) in enumerate(wanted):
        yield f'CREATE INDEX index{number} ON "{name}" ({", ".join(f"c{column}" for column in columns)})'


def derive(program: Program, execute: Execute) -> None:
    """Empty and fill every derived relation."""
    for component in program.components:
        (name,) = component.relations
        execute(f'DELETE FROM "{name}"', ())
        values: list[Value] = []
        selects = [_select(rule, values) for rule in component.rules]
        execute(f'INSERT INTO "{name}" {_insertion(component, name, selects)}', values)


def read(program: Program, execute: Execute) -> Mapping[str, list[Row]]:
    """Give every relation as Python tuples."""
    return {name: execute(f'SELECT * FROM "{name}"', ()).fetchall() for name in program.schema.relations}


def _insertion(component: Component, name: str, selects: list[str]) -> str:
    union = " UNION ".join(selects)
    if not component.recursive:
        # UNION takes duplicates away, but a single SELECT keeps them.
        return union if len(selects) > 1 else union.replace("SELECT", "SELECT DISTINCT", 1)
    columns = ", ".join(f"c{number}" for number in range(len(component.rules[0].head.terms)))
    return f'WITH RECURSIVE "{name}"({columns}) AS ({union}) SELECT * FROM "{name}"'


def _select(rule: Rule, values: list[Value]) -> str:
    places: dict[str, str] = {}
    sources: list[str] = []
    conditions: list[tuple[str, Term]] = []
    for number, atom in enumerate(item for item in rule.body if isinstance(item, Atom)):
        sources.append(f'"{atom.relation}" t{number}')
        for column, term in enumerate(atom.terms):
            place = f"t{number}.c{column}"
            if isinstance(term, Variable) and term.name not in places:
                places[term.name] = place
            elif isinstance(term, Variable | Constant):
                conditions.append((place, term))

    def value(term: Term) -> str:
        if isinstance(term, Variable):
            return places[term.name]
        assert isinstance(term, Constant), "functors and arithmetic are not translated"
        values.append(term.value)
        return "?"

    head = ", ".join(value(term) for term in rule.head.terms)
    tests = [f"{place} = {value(term)}" for place, term in conditions]
    for item in rule.body:
        if isinstance(item, Comparison):
            tests.append(f"{value(item.left)} {item.operator.replace('!=', '<>')} {value(item.right)}")
        elif isinstance(item, Negation):
            pairs = [(c, term) for c, term in enumerate(item.atom.terms) if isinstance(term, Variable | Constant)]
            same = " AND ".join(f"n.c{column} = {value(term)}" for column, term in pairs)
            tests.append(f'NOT EXISTS (SELECT 1 FROM "{item.atom.relation}" n WHERE {same})')
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    return f"SELECT {head} FROM {', '.join(sources)}{where}"
