"""Safety (range restriction) and the other checks of a single rule: size, names, arity, aggregates.

Each check is a small function that reports errors and goes on, so that an author sees all of them at once. ``type_check``
checks types, ``stratification`` stratification.
"""

from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter, signature
from math import prod
from typing import Final

from liqo_connectivity.engine.program.schema import CONSTRAINT_DECLARATIONS, ROOT_TYPES, Schema
from liqo_connectivity.engine.syntax.arithmetic import NUMBER_RANGE
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic, Span
from liqo_connectivity.engine.syntax.functors import CONSTRAINTS, Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Body,
    Call,
    Clause,
    Comparison,
    Conjunction,
    Constant,
    Disjunction,
    FunctorDeclaration,
    Literal_,
    Negation,
    Rule,
    Statement,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    subterms,
    variables,
)

MAX_RULES: Final = 1000
"""Maximum number of rules from one clause: its heads times its alternatives."""
MAX_LITERALS: Final = 200
"""Maximum number of literals in a rule: each is a level of the join, and Python's stack is shallow."""


def check_size(statements: Iterable[Statement]) -> list[Diagnostic]:
    """Report clauses that expand into too many rules, or into rules with too many literals (DL013)."""
    found: list[Diagnostic] = []
    for clause in statements:
        if not isinstance(clause, Clause) or clause.body is None:
            continue
        branches, longest = _spread(clause.body)
        if branches * len(clause.heads) > MAX_RULES:
            message = f"this clause spreads into {branches * len(clause.heads)} rules"
            note = f"each combination of alternatives is a rule for each head; at most {MAX_RULES} are read"
            hint = "derive each group of alternatives by a separate relation"
            found.append(Diagnostic("DL013", "error", message, clause.span, note, hint))
        elif longest > MAX_LITERALS:
            message = f"this clause has {longest} conditions, and at most {MAX_LITERALS} are read"
            hint = "derive a part of them by a separate relation"
            found.append(Diagnostic("DL013", "error", message, clause.span, help=hint))
    return found


def _spread(body: Body) -> tuple[int, int]:
    """Count the alternatives of a body, and the literals of the longest."""
    match body:
        case Conjunction(items=items):
            parts = [_spread(item) for item in items]
            return prod(count for count, _ in parts), sum(longest for _, longest in parts)
        case Disjunction(alternatives=branches):
            parts = [_spread(branch) for branch in branches]
            return sum(count for count, _ in parts), max(longest for _, longest in parts)
        case _:
            aggregate = aggregate_of(body)
            return 1, 1 + (len(aggregate.body) if aggregate else 0)


def check_names(rules: Iterable[Rule], schema: Schema, functors: Mapping[str, Functor]) -> list[Diagnostic]:
    """Report unknown relations (DL003), wrong arity (DL004), unknown functors (DL010), numbers out of range (DL011)."""
    found: list[Diagnostic] = []
    for declaration in schema.functors.values():
        if declaration.name not in functors:
            hint = f"the built-in functors are {', '.join(sorted(functors))}"
            message = f"there is no functor {declaration.name!r}"
            found.append(Diagnostic("DL010", "error", message, declaration.span, help=hint))
        else:
            found += _check_functor(declaration, functors[declaration.name], schema)
    found += check_literals((item for rule in rules for item in (rule.head, *rule.body)), schema)
    return found


def check_literals(items: Iterable[Literal_], schema: Schema) -> list[Diagnostic]:
    """Report undeclared names, wrong arity and numbers out of range in literals (DL003, DL004, DL010, DL011)."""
    found: list[Diagnostic] = []
    hints: dict[str, str] = {}
    for item in items:
        found += [finding for atom in _atoms(item) for finding in _check_atom(atom, schema, hints)]
        for term in subterms(item):
            found += _check_term(term, schema)
    return _once(found)


def _atoms(item: Literal_) -> list[Atom]:
    """List the atoms of a literal, including negated ones and those of an aggregate."""
    if isinstance(item, Comparison):
        aggregate = aggregate_of(item)
        return [atom for inner in aggregate.body for atom in _atoms(inner)] if aggregate else []
    return [item.atom if isinstance(item, Negation) else item]


def _check_functor(declaration: FunctorDeclaration, function: Functor, schema: Schema) -> list[Diagnostic]:
    """Compare a declaration with the function's parameters and annotations, if any."""
    made = signature(function)
    annotations = [parameter.annotation for parameter in made.parameters.values()] + [made.return_annotation]
    types = [*(column.type for column in declaration.parameters), declaration.result]
    roots = {str: "symbol", int: "number"}
    fits = len(annotations) == len(types) and all(
        annotation is Parameter.empty
        or not all(name in schema.types or name in ROOT_TYPES for name in types)
        or roots.get(annotation) == schema.root(name)
        for annotation, name in zip(annotations, types, strict=True)
    )
    if fits:
        return []
    *parameters, result = (roots.get(annotation, "value") for annotation in annotations)
    message = f"functor {declaration.name!r} has other types than these"
    note = f"it is ({', '.join(parameters)}): {result}"
    hint = "declare it so, or with types of your own below these"
    return [Diagnostic("DL010", "error", message, declaration.span, note, hint)]


def _check_atom(atom: Atom, schema: Schema, hints: dict[str, str]) -> list[Diagnostic]:
    declaration = schema.relations.get(atom.relation)
    if declaration is None:
        message = f"unknown relation {atom.relation!r}"
        return [Diagnostic("DL003", "error", message, atom.span, help=_nearest(atom.relation, schema, hints))]
    if len(atom.terms) != len(declaration.columns):
        terms = len(atom.terms)
        message = f"{atom.relation} has {_count(len(declaration.columns), 'column')}, not {terms}"
        note = f"declared at {declaration.span} as ({', '.join(f'{c.name}: {c.type}' for c in declaration.columns)})"
        hint = "write _ for a column that does not matter" if terms < len(declaration.columns) else ""
        return [Diagnostic("DL004", "error", message, atom.span, note, hint)]
    return []


def _nearest(relation: str, schema: Schema, hints: dict[str, str]) -> str:
    # Matching names is slow, and a text may hold thousands of unknown ones: only the first few get a suggestion.
    if relation not in hints:
        from difflib import get_close_matches  # Only a wrong program needs it.

        near = get_close_matches(relation[:80], schema.relations, 1) if len(hints) < 20 else []
        hints[relation] = f"did you mean {near[0]!r}?" if near else f"declare it: .decl {relation}(...)"
    return hints[relation]


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _check_term(term: Term, schema: Schema) -> list[Diagnostic]:
    match term:
        case Call(functor=name, arguments=arguments, span=span):
            if name in CONSTRAINTS:
                return _check_constraint(name, arguments, span)
            declaration = schema.functors.get(name)
            if declaration is None:
                known = f"if it is built in, declare it: .functor {name}(...): number"
                return [Diagnostic("DL010", "error", f"functor {name!r} is not declared", span, help=known)]
            if len(arguments) != len(declaration.parameters):
                takes = _count(len(declaration.parameters), "argument")
                message = f"@{name} takes {takes}, not {len(arguments)}"
                return [Diagnostic("DL004", "error", message, span, f"declared at {declaration.span}")]
        case Constant(value=int(value), span=span) if value not in NUMBER_RANGE:
            note = f"numbers have 32 bits, as in Soufflé: {NUMBER_RANGE[0]} to {NUMBER_RANGE[-1]}"
            return [Diagnostic("DL011", "error", "this number is out of range", span, note)]
        case _:
            pass
    return []


def _check_constraint(name: str, arguments: tuple[Term, ...], span: Span) -> list[Diagnostic]:
    if len(arguments) != 2:
        message = f"{name} takes 2 arguments, not {len(arguments)}"
        first = CONSTRAINT_DECLARATIONS[name].parameters[0].name
        return [Diagnostic("DL004", "error", message, span, help=f"write {name}({first}, text)")]
    pattern = arguments[0]
    if name == "match" and isinstance(pattern, Constant) and isinstance(pattern.value, str):
        # A program from a cache is checked already, and starts faster without these.
        from liqo_connectivity.engine.syntax.automaton import automaton_of
        from liqo_connectivity.engine.syntax.patterns import PatternError

        try:
            automaton_of(pattern.value)
        except PatternError as error:
            hint = "docs/dialect.md lists what a pattern may hold"
            return [Diagnostic("DL016", "error", f"this is no pattern: {error}", pattern.span, help=hint)]
    return []


def check_safety(rules: Iterable[Rule]) -> list[Diagnostic]:
    """Report variables that no positive atom or equation binds, and ``_`` where a value is needed (DL006).

    Also report aggregates without a positive atom or a local target (DL014).
    """
    found: list[Diagnostic] = []
    for rule in rules:
        found += _unbound((rule.head, *rule.body), bound_variables(rule.body))
        found += [_no_value(t.span) for t in subterms(rule.head) if isinstance(t, Wildcard)]
        for item in rule.body:
            found += _misplaced(item)
            aggregate = aggregate_of(item)
            if aggregate:
                found += _check_aggregate(aggregate)
    return _once(found)


def _unbound(items: Iterable[Literal_], bound: Iterable[str]) -> Iterator[Diagnostic]:
    items, bound = tuple(items), set(bound)
    inside = {name for aggregate in filter(None, map(aggregate_of, items)) for name in aggregate.outer}
    for item in items:
        for variable in variables(item):
            if variable.name in bound:
                continue
            message = f"{variable.name} is not bound"
            note = "only a positive atom, or an equation with values that are bound, gives a variable its values"
            hint = f"add an atom that lists the values of {variable.name}, or write _ inside an atom"
            if variable.name in inside:
                note = "it occurs inside and outside of braces, so that its value must come from outside"
                hint = f"add an atom outside that lists the values of {variable.name}, or rename it inside"
            yield Diagnostic("DL006", "error", message, variable.span, note, hint)
            # Report each variable once, at its first place.
            bound.add(variable.name)


def _misplaced(item: Literal_) -> list[Diagnostic]:
    """Report each ``_`` that is not a whole argument of an atom."""
    if isinstance(item, Comparison):
        plain = [side for side in (item.left, item.right) if not isinstance(side, Aggregate)]
        return [_no_value(t.span) for side in plain for t in subterms(side) if isinstance(t, Wildcard)]
    inner = (
        t for atom in _atoms(item) for term in atom.terms if not isinstance(term, Wildcard) for t in subterms(term)
    )
    return [_no_value(t.span) for t in inner if isinstance(t, Wildcard)]


def _check_aggregate(aggregate: Aggregate) -> Iterator[Diagnostic]:
    target, bound = aggregate.target, bound_variables(aggregate.body, aggregate.outer)
    if not any(isinstance(item, Atom) for item in aggregate.body):
        message, hint = f"this {aggregate.kind} has nothing to go over", "add a positive atom inside the braces"
        yield Diagnostic("DL014", "error", message, aggregate.span, help=hint)
    elif target and target.name in aggregate.outer:
        message = f"the {aggregate.kind} is over {target.name}, which also occurs outside the braces"
        note = "a variable that occurs outside has its value from there, and there is nothing to choose from"
        hint = f"write {target.name} inside the braces only"
        yield Diagnostic("DL014", "error", message, target.span, note, hint)
    elif target and not any(v.name == target.name for item in aggregate.body for v in variables(item)):
        message, hint = f"{target.name} does not occur inside the braces", "name a variable that an atom there binds"
        yield Diagnostic("DL014", "error", message, target.span, help=hint)
    yield from _unbound(aggregate.body, bound)
    for item in aggregate.body:
        yield from _misplaced(item)


def _no_value(span: Span) -> Diagnostic:
    return Diagnostic("DL006", "error", "_ has no value here", span, help="name a variable that an atom binds")


def bound_variables(body: Iterable[Literal_], known: Iterable[str] = ()) -> frozenset[str]:
    """Return the variables that a body binds: those of positive atoms, and those that ``=`` computes from them.

    ``known`` variables are bound already.
    """
    body = tuple(body)
    atoms = {t.name for item in body if isinstance(item, Atom) for t in item.terms if isinstance(t, Variable)}
    bound = {*known, *atoms}
    while True:
        more = {
            target.name
            for item in body
            if isinstance(item, Comparison) and item.operator == "="
            for target, other in ((item.left, item.right), (item.right, item.left))
            if isinstance(target, Variable) and target.name not in bound
            if all(v.name in bound for v in variables(other)) and not isinstance(other, Wildcard)
        }
        if not more:
            return frozenset(bound)
        bound |= more


def _once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    # Rules from one clause share its literals: report each error of a place once.
    return list(dict.fromkeys(found))
