"""Everything that follows from rules and facts, by naive evaluation with indexes.

Relations are derived one component after another; a recursive one by applying all its rules until none gives a new row.
Each rule is joined literal by literal with hash indexes. There is no semi-naive evaluation and no plan that depends on
data: slower than the engine, and unlike it.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from liqo_connectivity.checker.functors import FUNCTORS, UndefinedError, arithmetic
from liqo_connectivity.checker.limits import Meter
from liqo_connectivity.checker.syntax import (
    Aggregate,
    Application,
    Constant,
    Literal,
    Row,
    Rule,
    RulesError,
    Term,
    Value,
    Variable,
    Wildcard,
    variables,
)

Environment = Mapping[str, Value]
_Index = dict[Row, list[Row]]
COMPARE: Final[Mapping[str, Any]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def value(term: Term, environment: Environment) -> Value:
    """Compute a term whose variables have values. Raises UndefinedError, and RulesError for what is no function."""
    if isinstance(term, Constant):
        return term.value
    if isinstance(term, Variable):
        return environment[term.name]
    if isinstance(term, Wildcard | Aggregate):
        raise RulesError("_ or an aggregate stands where a value is needed")
    arguments = [value(argument, environment) for argument in term.arguments]
    if term.function in FUNCTORS:
        return FUNCTORS[term.function](*arguments)
    left, right = arguments
    if not isinstance(left, int) or not isinstance(right, int):
        raise RulesError(f"{term.function} is applied to symbols")
    return arithmetic(term.function, left, right)


class Consequences:
    """The rows of each relation: those given, and those that follow."""

    def __init__(
        self,
        rules: Sequence[Rule],
        given: Mapping[str, Iterable[Row]],
        wanted: Iterable[str],
        meter: Meter | None = None,
    ) -> None:
        """Derive some relations and all that they need.

        Raises RulesError for rules that mean nothing, and LimitError if the meter says so.
        """
        self._meter = meter or Meter()
        self._rows: dict[str, set[Row]] = {name: set(rows) for name, rows in given.items()}
        self._indexes: dict[tuple[str, tuple[int, ...]], _Index] = {}
        by_head: dict[str, list[Rule]] = {}
        for rule in rules:
            by_head.setdefault(rule.head.name, []).append(rule)
        for component in _components(by_head, wanted):
            self._derive(component, by_head)

    def rows(self, relation: str) -> set[Row]:
        """Give the rows of a relation."""
        return self._rows.get(relation, set())

    def matching(self, relation: str, wanted: Sequence[Value | None]) -> list[Row]:
        """Give the rows with some values; ``None`` stands for any."""
        columns = tuple(column for column, found in enumerate(wanted) if found is not None)
        return self._index(relation, columns).get(tuple(found for found in wanted if found is not None), [])

    def _index(self, relation: str, columns: tuple[int, ...]) -> _Index:
        index = self._indexes.get((relation, columns))
        if index is None:
            index = self._indexes[relation, columns] = {}
            for row in self.rows(relation):
                index.setdefault(tuple([row[column] for column in columns]), []).append(row)
        return index

    def _derive(self, component: frozenset[str], by_head: Mapping[str, Sequence[Rule]]) -> None:
        rules = [rule for name in sorted(component) for rule in by_head.get(name, ())]
        for rule in rules:
            if any(name in component for name in _complete(rule)):
                raise RulesError(f"{rule.file}:{rule.line}: {rule.head.name} depends on its own negation or aggregate")
        recursive = any(literal.kind == "atom" and literal.name in component for rule in rules for literal in rule.body)
        while True:
            new = {name: set[Row]() for name in component}
            for rule in rules:
                new[rule.head.name].update(self._heads(rule))
            grown = [name for name in component if not new[name] <= self.rows(name)]
            for name in grown:
                self._rows[name] = self.rows(name) | new[name]
                for key in [key for key in self._indexes if key[0] == name]:
                    del self._indexes[key]
            if not recursive or not grown:
                return

    def _heads(self, rule: Rule) -> Iterable[Row]:
        place = f"{rule.file}:{rule.line}"
        found, known = self._solved(rule.body, {}, place)
        if not variables(rule.head.terms) <= known:
            raise RulesError(f"{place}: a variable of the head has no values")
        for environment in found:
            yield from _rows_of(rule.head.terms, environment)

    def instances(self, body: Sequence[Literal], outer: Environment) -> list[Environment]:
        """Give the values for which a body holds, one for each choice of rows, with the ones that are known."""
        return self._solved(body, outer, "an aggregate")[0]

    def _solved(self, body: Sequence[Literal], outer: Environment, place: str) -> tuple[list[Environment], set[str]]:
        found, known = [outer], set(outer)
        for literal in _ordered(body, known, place):
            found = self._joined(literal, found, known, place)
            known |= variables(literal.terms)
        return found, known

    def value(self, term: Term, environment: Environment) -> Value:
        """Compute a term or an aggregate. Raises UndefinedError, also for the least or greatest of nothing."""
        if not isinstance(term, Aggregate):
            return value(term, environment)
        found = self.instances(term.body, {name: environment[name] for name in term.outer})
        if term.target is None:
            return len(found)
        numbers = [int(instance[term.target.name]) for instance in found]
        if term.kind == "sum":
            return arithmetic("+", sum(numbers), 0)
        if not numbers:
            raise UndefinedError
        return min(numbers) if term.kind == "min" else max(numbers)

    def compare(self, literal: Literal, environment: Environment) -> bool:
        """Tell whether a comparison whose variables have values is true; one without a value is not."""
        try:
            left, right = (self.value(term, environment) for term in literal.terms)
        except UndefinedError:
            return False
        return bool(COMPARE[literal.name](left, right))

    def _values(self, term: Term, environment: Environment) -> list[Value]:
        """Give the value of a term, if it has one."""
        try:
            return [self.value(term, environment)]
        except UndefinedError:
            return []

    def _joined(self, literal: Literal, found: list[Environment], known: set[str], place: str) -> list[Environment]:
        """Keep the environments in which a literal holds, with the values that it gives to more variables."""
        self._meter.read(1 + len(found), place)
        if literal.kind == "comparison":
            for target, other in (literal.terms, literal.terms[::-1]):
                if isinstance(target, Variable) and target.name not in known:
                    return [{**env, target.name: result} for env in found for result in self._values(other, env)]
            return [env for env in found if self.compare(literal, env)]
        keyed = [
            c for c, term in enumerate(literal.terms) if not isinstance(term, Wildcard) and variables([term]) <= known
        ]
        index = self._index(literal.name, tuple(keyed))
        terms = [literal.terms[column] for column in keyed]
        if literal.kind == "negation":
            return [env for env in found for key in _rows_of(terms, env) if key not in index]
        fresh = [(t.name, c) for c, t in enumerate(literal.terms) if isinstance(t, Variable) and t.name not in known]
        joined: list[Environment] = []
        for env in found:
            for key in _rows_of(terms, env):
                rows = index.get(key, ())
                self._meter.read(len(rows), place)
                for row in rows:
                    more = {**env, **{name: row[column] for name, column in fresh}} if fresh else env
                    if all(more[name] == row[column] for name, column in fresh):
                        joined.append(more)
        return joined


def _rows_of(terms: Sequence[Term], environment: Environment) -> list[Row]:
    try:
        return [tuple([value(term, environment) for term in terms])]
    except UndefinedError:
        return []


def _plain(body: Iterable[Literal]) -> list[Literal]:
    """Give a body in which the arithmetic of atoms is an equation: ``a(X + 1)`` is ``a(Y), Y = X + 1``."""
    plain: list[Literal] = []
    for position, literal in enumerate(body):
        terms = list(literal.terms)
        for column, term in enumerate(literal.terms):
            if literal.kind == "atom" and isinstance(term, Application):
                # No text can write such a name.
                terms[column] = Variable(f"{position} {column}")
                plain.append(Literal("comparison", "=", (terms[column], term)))
        plain.append(Literal(literal.kind, literal.name, tuple(terms)))
    return plain


def _ordered(body: Sequence[Literal], outer: Iterable[str], place: str) -> list[Literal]:
    """Order a body: what is ready first, then the atom with the most known columns. Raises RulesError."""
    rest, ordered, known = _plain(body), list[Literal](), set(outer)
    while rest:
        ready = [literal for literal in rest if literal.kind != "atom" and _is_ready(literal, known)]
        atoms = [literal for literal in rest if literal.kind == "atom"]
        if not ready and not atoms:
            raise RulesError(f"{place}: a variable has no values")
        chosen = ready[0] if ready else max(atoms, key=lambda literal: _bound(literal, known))
        rest.remove(chosen)
        ordered.append(chosen)
        known |= variables(chosen.terms)
    return ordered


def _is_ready(literal: Literal, known: set[str]) -> bool:
    if variables(literal.terms) <= known:
        return True
    if literal.kind != "comparison" or literal.name != "=":
        return False
    return any(isinstance(t, Variable) and variables([o]) <= known for t, o in (literal.terms, literal.terms[::-1]))


def _bound(literal: Literal, known: set[str]) -> int:
    return sum(not isinstance(term, Wildcard) and variables([term]) <= known for term in literal.terms)


def _read(literals: Iterable[Literal]) -> set[str]:
    """Give the relations that some literals read, those of aggregates included."""
    found: set[str] = set()
    for literal in literals:
        if literal.kind != "comparison":
            found.add(literal.name)
        for term in literal.terms:
            if isinstance(term, Aggregate):
                found |= _read(term.body)
    return found


def _complete(rule: Rule) -> set[str]:
    """Give the relations that must be complete before a rule is applied: the negated, and those of aggregates."""
    return _read(literal for literal in rule.body if literal.kind != "atom")


def _components(by_head: Mapping[str, Sequence[Rule]], wanted: Iterable[str]) -> list[frozenset[str]]:
    """Order the wanted relations and all that they need, those that need each other together (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    ordered: list[frozenset[str]] = []

    def needs(name: str) -> list[str]:
        return sorted({other for rule in by_head.get(name, ()) for other in _read(rule.body)})

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        open_.add(name)
        for other in needs(name):
            if other not in number:
                visit(other)
            if other in open_:
                low[name] = min(low[name], low[other])
        if low[name] == number[name]:
            members = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            open_.difference_update(members)
            ordered.append(frozenset(members))

    for name in sorted(set(wanted)):
        if name not in number:
            visit(name)
    return ordered
