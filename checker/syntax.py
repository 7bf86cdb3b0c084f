"""Rules as data: what the reader makes of rule texts."""

import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Value = str | int
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``_``."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A symbol or number."""

    value: Value


@dataclass(frozen=True, slots=True)
class Application:
    """``+ - * / %`` or a functor, written ``@name``, of arguments."""

    function: str
    arguments: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``count``, or ``min``, ``max`` or ``sum`` of a variable, over the instances of a body. ``outer``: of the rule."""

    kind: str
    target: Variable | None
    body: "tuple[Literal, ...]"
    outer: frozenset[str] = frozenset()


Term = Variable | Wildcard | Constant | Application | Aggregate
LiteralKind = typing.Literal["atom", "negation", "comparison"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal: its relation or comparison operator, and its terms."""

    kind: LiteralKind
    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A head and a conjunction. File and lines do not count for equality."""

    head: Literal
    body: tuple[Literal, ...]
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    head_line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TrustedRules:
    """The rules to check against. ``columns`` has the root types of each relation: ``symbol`` or ``number``."""

    columns: Mapping[str, tuple[str, ...]]
    inputs: frozenset[str]
    rules: tuple[Rule, ...]


class RulesError(Exception):
    """A rule text cannot be read: the place and what was expected."""


def all_literals(literals: Iterable[Literal]) -> Iterator[Literal]:
    """Give some literals, and those inside their aggregates."""
    for literal in literals:
        yield literal
        for term in literal.terms:
            if isinstance(term, Aggregate):
                yield from all_literals(term.body)


def variables(terms: Iterable[Term]) -> set[str]:
    """Give the variables of some terms; of an aggregate those of the rule around it."""
    found: set[str] = set()
    for term in terms:
        if isinstance(term, Variable):
            found.add(term.name)
        elif isinstance(term, Application):
            found |= variables(term.arguments)
        elif isinstance(term, Aggregate):
            found |= term.outer
    return found
