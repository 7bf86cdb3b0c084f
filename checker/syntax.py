"""Rules as data: what the reader makes of texts, and what derivations and steps are checked against.

This module must not know how texts are read, nor what follows from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = str | int
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Var:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801  Any is taken
    """``_``."""


@dataclass(frozen=True, slots=True)
class Const:
    """A symbol or number."""

    value: Value


@dataclass(frozen=True, slots=True)
class Apply:
    """``+ - * / %`` or a functor, written ``@name``, of arguments."""

    function: str
    arguments: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Fold:
    """``count``, or ``min`` or ``max`` of a variable, over the instances of a body; ``outer`` variables are the rule's."""

    kind: str
    target: Var | None
    body: "tuple[Item, ...]"
    outer: frozenset[str] = frozenset()


Term = Var | Any_ | Const | Apply | Fold
Kind = Literal["atom", "negation", "comparison"]


@dataclass(frozen=True, slots=True)
class Item:
    """A literal: its relation or comparison operator, and its terms."""

    kind: Kind
    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A head and a conjunction; where the clause and its head stand takes no part in equality."""

    head: Item
    body: tuple[Item, ...]
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    head_line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What texts say: ``columns`` gives the root type of each column of each relation, ``symbol`` or ``number``."""

    columns: Mapping[str, tuple[str, ...]]
    inputs: frozenset[str]
    rules: tuple[Rule, ...]


class RulesError(Exception):
    """A rule text cannot be read: the place and what was expected."""


def all_items(items: Iterable[Item]) -> Iterator[Item]:
    """Give some literals, and those inside their aggregates."""
    for item in items:
        yield item
        for term in item.terms:
            if isinstance(term, Fold):
                yield from all_items(term.body)


def names(terms: Iterable[Term]) -> set[str]:
    """Give the variables of some terms; of an aggregate those of the rule around it."""
    found: set[str] = set()
    for term in terms:
        if isinstance(term, Var):
            found.add(term.name)
        elif isinstance(term, Apply):
            found |= names(term.arguments)
        elif isinstance(term, Fold):
            found |= term.outer
    return found
