"""A program and its facts as the answer-set program that means the same, and an answer set as rows.

A stratified program has one answer set, which clingo computes while grounding. Functors become ``@name(...)`` calls
into Python.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import clingo

from liqo_connectivity.engine import Program, Row, Value
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    subterms,
    variables,
)


class Functors:
    """What ``@name(...)`` calls: clingo looks the functions up here by their names."""

    def __getattr__(self, name: str) -> Callable[..., clingo.Symbol]:
        function = {**BUILTIN, **CONSTRAINTS}[name]
        return lambda *arguments: _symbol(function(*[_value(argument) for argument in arguments]))


def solve(program: Program, facts: Mapping[str, Iterable[Row]], wanted: Iterable[str]) -> dict[str, list[Row]]:
    """Give the sorted rows of the wanted relations, as clingo derives them."""
    names = sorted(wanted)
    arity = {name: len(program.schema.relations[name].columns) for name in names}
    shown = [f"#show {_predicate(name)}/{arity[name]}." for name in names]
    given = [f"{_fact(name, row)}." for name, held in facts.items() for row in held]
    control = clingo.Control(["--warn=none"])
    control.add("base", [], "\n".join([*given, *map(rule_text, program.rules), "#show.", *shown]))
    control.ground([("base", [])], context=Functors())
    found: dict[str, list[Row]] = {name: [] for name in names}
    relation_of = {_predicate(name): name for name in names}
    with control.solve(yield_=True) as handle:
        models = 0
        for model in handle:
            models += 1
            for symbol in model.symbols(shown=True):
                found[relation_of[symbol.name]].append(tuple(map(_value, symbol.arguments)))
        if models != 1:
            raise AssertionError(f"a stratified program has one answer set, not {models}")
    return {name: sorted(rows) for name, rows in found.items()}


def rule_text(rule: Rule) -> str:
    """Write one rule."""
    names = {v.name: f"V{n}" for n, v in enumerate(dict.fromkeys(_variables(rule)))}
    body = ", ".join(_literal(item, names) for item in rule.body)
    head = _atom(rule.head, names)
    return f"{head} :- {body}." if body else f"{head}."


def _variables(rule: Rule) -> list[Variable]:
    inner = [item for found in map(aggregate_of, rule.body) if found is not None for item in found.body]
    return [v for item in (rule.head, *rule.body, *inner) for v in variables(item)]


def _literal(item: Literal_, names: Mapping[str, str]) -> str:
    match item:
        case Atom():
            return _atom(item, names)
        case Negation(atom=atom):
            return f"not {_atom(atom, names)}"
        case Comparison(operator=operator, left=left, right=right):
            compared = f"{_term(left, names)} {operator} {_term(right, names)}"
            aggregate = aggregate_of(item)
            if aggregate is None or aggregate.target is None:
                return compared
            if operator != "=":
                raise NotImplementedError("of no instance clingo has #sup or #inf, where we have no value to compare")
            other = _term(right if left is aggregate else left, names)
            return f"{compared}, {other} != #sup, {other} != #inf"


def _atom(atom: Atom, names: Mapping[str, str]) -> str:
    return f"{_predicate(atom.relation)}({', '.join(_term(term, names) for term in atom.terms)})"


def _term(term: Term, names: Mapping[str, str]) -> str:
    match term:
        case Variable(name=name):
            return names[name]
        case Wildcard():
            return "_"
        case Constant(value=value):
            return _constant(value)
        case Call(functor=name, arguments=arguments):
            return f"@{name}({', '.join(_term(argument, names) for argument in arguments)})"
        case Aggregate(kind=kind, target=target, body=body, outer=outer):
            own = dict.fromkeys(v.name for item in body for v in variables(item) if v.name not in outer)
            counted = [target.name] if target is not None else list(own)
            if kind == "count" and any(isinstance(term, Wildcard) for item in body for term in subterms(item)):
                raise NotImplementedError("clingo does not count what a wildcard stands for")
            values = ", ".join(names[name] for name in counted)
            return f"#{kind} {{ {values} : {', '.join(_literal(item, names) for item in body)} }}"
        case Arithmetic(operator=operator, left=left, right=right):
            if operator in "/%":
                raise NotImplementedError("clingo rounds divisions another way")
            return f"({_term(left, names)} {operator} {_term(right, names)})"


def _fact(relation: str, row: Sequence[Value]) -> str:
    return f"{_predicate(relation)}({', '.join(map(_constant, row))})"


def _predicate(relation: str) -> str:
    # A prefix, since some relations would be words of clingo.
    return f"r_{relation}"


def _constant(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _symbol(value: Value) -> clingo.Symbol:
    return clingo.Number(value) if isinstance(value, int) else clingo.String(value)


def _value(symbol: Any) -> Value:
    found: Value = symbol.number if symbol.type is clingo.SymbolType.Number else symbol.string
    return found
