"""A join as explicit steps: index lookups, tests and bindings of variables.

``join_order`` chooses the order; a step says what each literal does in it. ``codegen`` turns the steps into code and
``explain_plan`` prints the same steps, so that the printed plan is the one that runs.
"""

from collections.abc import Container, Iterable, Sequence
from typing import Literal, NamedTuple

from liqo_connectivity.engine.plan.join_order import flatten, order
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    variables,
)
from liqo_connectivity.engine.syntax.printer import format_body, format_term


class Scan(NamedTuple):
    """Iterate over the rows of a relation: the changed ones, those from an index on ``columns``, or all.

    ``filters`` are columns compared after the lookup, ``binds`` columns that bind a variable, ``repeats`` columns that
    must equal a variable bound by the same row. ``width`` is the number of columns.
    """

    position: int
    relation: str
    source: Literal["changes", "index", "all"]
    columns: tuple[int, ...]
    keys: tuple[Term, ...]
    filters: tuple[tuple[int, Term], ...]
    binds: tuple[tuple[int, str], ...]
    repeats: tuple[tuple[int, str], ...]
    width: int

    def __str__(self) -> str:
        tests = [(c, format_term(t)) for c, t in (*zip(self.columns, self.keys, strict=True), *self.filters)]
        tests += [(column, name) for column, name in self.repeats]
        where = f" with {', '.join(f'column {column} = {value}' for column, value in tests)}" if tests else ""
        how = {"changes": "for each change of", "index": "look up", "all": "for each row of"}[self.source]
        return f"{how} {self.relation}{where}"


class Lookup(NamedTuple):
    """Test that a row is in a relation, or that it is not."""

    position: int
    relation: str
    terms: tuple[Term, ...]
    present: bool

    def __str__(self) -> str:
        atom = Atom(self.relation, self.terms)
        return f"test {format_body(atom if self.present else Negation(atom))}"


class Bind(NamedTuple):
    """Bind a variable to the value of a term."""

    name: str
    term: Term

    def __str__(self) -> str:
        return f"compute {format_term(Variable(self.name))} = {format_term(self.term)}"


class Test(NamedTuple):
    """Compare two values."""

    comparison: Comparison

    def __str__(self) -> str:
        return f"test {format_body(self.comparison)}"


class Aggregation(NamedTuple):
    """Compute an aggregate by a nested join, and bind a variable to it, or compare the two if the variable is ``known``.

    ``steps`` read outer variables by their outer names.
    """

    name: str
    known: bool
    aggregate: Aggregate
    steps: "tuple[JoinStep, ...]"

    def __str__(self) -> str:
        return f"compute {format_body(Comparison('=', Variable(self.name), self.aggregate))}"


JoinStep = Scan | Lookup | Bind | Test | Aggregation


def full_steps(rule: Rule) -> list[JoinStep]:
    """Plan a rule with no variable known at the start."""
    plain, _ = flatten(rule.body)
    return _steps(plain, [(place, place) for place in order(plain)], ())


def delta_steps(rule: Rule, position: int, inside: int | None = None, small: Container[str] = ()) -> list[JoinStep]:
    """Plan a rule from the changed rows of the literal at a position, or of one inside the aggregate there.

    A changed row of a negated relation binds variables as a positive one does. ``small`` are relations of few rows.
    """
    body: list[Literal_] = list(rule.body)
    item = body[position]
    if inside is not None:
        aggregate = aggregate_of(item)
        assert aggregate is not None
        plain, _ = flatten([*body, _from_inside(aggregate, inside)])
        return _steps(plain, [(place, place) for place in order(plain, (), len(body), None, small)], (), len(body))
    if isinstance(item, Negation):
        body[position] = item.atom
    plain, _ = flatten(body)
    return _steps(plain, [(place, place) for place in order(plain, (), position, None, small)], (), position)


def _from_inside(aggregate: Aggregate, inside: int) -> Atom:
    """Return a literal of an aggregate as an atom, with ``_`` for all but constants and outer variables."""
    item = aggregate.body[inside]
    atom = item.atom if isinstance(item, Negation) else item
    assert isinstance(atom, Atom)
    kept = (isinstance(t, Constant) or (isinstance(t, Variable) and t.name in aggregate.outer) for t in atom.terms)
    terms = (term if keep else Wildcard() for term, keep in zip(atom.terms, kept, strict=True))
    return Atom(atom.relation, tuple(terms))


def backward_steps(rule: Rule, inner: Iterable[str]) -> list[JoinStep]:
    """Plan a rule from a row of its head. Relations of the same component, usually the larger ones, come later."""
    bound = {term.name for term in rule.head.terms if isinstance(term, Variable)}
    inner = frozenset(inner)
    positions = sorted(
        range(len(rule.body)), key=lambda p: isinstance(item := rule.body[p], Atom) and item.relation in inner
    )
    plain, _ = flatten([rule.body[position] for position in positions])
    positions += range(len(positions), len(plain))
    return _steps(plain, [(place, positions[place]) for place in order(plain, bound)], bound)


def goal_steps(plain: Sequence[Literal_], ordered: Iterable[int], bound: Iterable[str]) -> list[JoinStep]:
    """Plan a flattened body in a given order, with some variables known at the start."""
    return _steps(plain, [(place, place) for place in ordered], bound)


def _steps(
    plain: Sequence[Literal_], ordered: Iterable[tuple[int, int]], bound: Iterable[str], first: int | None = None
) -> list[JoinStep]:
    """Make a step of each literal; ``ordered`` pairs its place in ``plain`` with its position in the rule."""
    found: list[JoinStep] = []
    known = set(bound)
    for place, position in ordered:
        found.append(_step(plain[place], position, known, "changes" if place == first else "index"))
        known.update(v.name for v in variables(plain[place]))
    return found


def _step(item: Literal_, position: int, known: set[str], source: Literal["changes", "index"]) -> JoinStep:
    match item:
        case Atom():
            return _scan(item, position, known, source)
        case Negation(atom=atom):
            return Lookup(position, atom.relation, atom.terms, False)
        case Comparison(left=Variable(name=name), right=Aggregate(body=body, outer=outer) as aggregate):
            plain, _ = flatten(body)
            inner = _steps(plain, [(place, place) for place in order(plain, outer)], outer)
            return Aggregation(name, name in known, aggregate, tuple(inner))
        case Comparison(operator="=", left=Variable(name=name), right=other) if name not in known:
            return Bind(name, other)
        case Comparison(operator="=", left=other, right=Variable(name=name)) if name not in known:
            return Bind(name, other)
        case Comparison():
            return Test(item)


def _scan(atom: Atom, position: int, known: set[str], source: Literal["changes", "index"]) -> JoinStep:
    fixed = [(column, term) for column, term in enumerate(atom.terms) if _is_known(term, known)]
    binds: dict[str, int] = {}
    repeats: list[tuple[int, str]] = []
    for column, term in enumerate(atom.terms):
        if isinstance(term, Variable) and term.name not in known:
            if term.name in binds:
                repeats.append((column, term.name))
            else:
                binds[term.name] = column
    bound = tuple((column, name) for name, column in binds.items())
    if source == "changes":
        return Scan(position, atom.relation, "changes", (), (), tuple(fixed), bound, tuple(repeats), len(atom.terms))
    if len(fixed) == len(atom.terms):
        return Lookup(position, atom.relation, atom.terms, True)
    if not fixed or (not known and all(isinstance(term, Constant) for _, term in fixed)):
        # With nothing known yet, an index would be built for a single lookup.
        return Scan(position, atom.relation, "all", (), (), tuple(fixed), bound, tuple(repeats), len(atom.terms))
    columns, keys = zip(*fixed, strict=True)
    return Scan(position, atom.relation, "index", columns, keys, (), bound, tuple(repeats), len(atom.terms))


def _is_known(term: Term, known: set[str]) -> bool:
    return not isinstance(term, Wildcard) and (not isinstance(term, Variable) or term.name in known)
