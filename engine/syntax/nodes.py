"""The syntax tree of a program: frozen objects, each with the place it was read from.

They keep what the author wrote (several heads, ``;``, comments on declarations), so that a program printed back is the
program that was read; ``normalize`` turns them into the plain rules that evaluation works on. Places never take part in
equality.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from liqo_connectivity.engine.syntax.diagnostics import Span

Value = str | int
"""A constant: a symbol or a number."""

Row = tuple[Value, ...]
"""One tuple of a relation, in the order of its columns."""


def _place() -> Span:
    return Span("", 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, named as written."""

    name: str
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``_``: some value, whatever it is."""

    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A symbol (``str``) or a number (``int``, 32 bits signed as in Soufflé)."""

    value: Value
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left operator right`` over numbers; division and remainder truncate towards zero, as in Soufflé."""

    operator: Literal["+", "-", "*", "/", "%"]
    left: "Term"
    right: "Term"
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """``@functor(arguments)``: a built-in function of values."""

    functor: str
    arguments: tuple["Term", ...]
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``count : { body }``, ``min target : { body }`` or ``max target : { body }``, as one side of a comparison.

    ``outer`` names the variables whose values come from outside the braces, sorted; it is filled by ``normalize``,
    since the rest of the rule tells. All others are the body's own.
    """

    kind: Literal["count", "min", "max"]
    target: Variable | None
    body: "tuple[Literal_, ...]"
    outer: tuple[str, ...] = ()
    span: Span = field(default_factory=_place, compare=False, repr=False)


Term = Variable | Wildcard | Constant | Arithmetic | Call | Aggregate


@dataclass(frozen=True, slots=True)
class Atom:
    """``relation(terms)``."""

    relation: str
    terms: tuple[Term, ...]
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negation:
    """``!atom``: no such tuple exists."""

    atom: Atom
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right``; symbols are ordered by code point, numbers as numbers."""

    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    left: Term
    right: Term
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Items joined by ``,``."""

    items: tuple["Body", ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """Alternatives joined by ``;``."""

    alternatives: tuple["Body", ...]


Literal_ = Atom | Negation | Comparison
Body = Literal_ | Conjunction | Disjunction


@dataclass(frozen=True, slots=True)
class Clause:
    """A fact or rule as written: one or more heads, and a body or ``None`` for a fact."""

    heads: tuple[Atom, ...]
    body: Body | None
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeDeclaration:
    """``.type name <: base``."""

    name: str
    base: str
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation or a parameter of a functor: its name and the name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class RelationDeclaration:
    """``.decl name(columns)``; ``doc`` is the text of the ``//`` lines right above it."""

    name: str
    columns: tuple[Column, ...]
    doc: str = ""
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FunctorDeclaration:
    """``.functor name(parameters): result``."""

    name: str
    parameters: tuple[Column, ...]
    result: str
    span: Span = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Directive:
    """``.input`` or ``.output`` of relations."""

    kind: Literal["input", "output"]
    relations: tuple[str, ...]
    span: Span = field(default_factory=_place, compare=False, repr=False)


Statement = TypeDeclaration | RelationDeclaration | FunctorDeclaration | Directive | Clause


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready for evaluation: one head, a plain conjunction; a fact has an empty body.

    ``number`` counts the rules of a program from 0 in reading order and names the rule in proofs.
    """

    number: int
    head: Atom
    body: tuple[Literal_, ...]
    span: Span = field(default_factory=_place, compare=False, repr=False)


def variables(item: Term | Literal_) -> tuple[Variable, ...]:
    """List the variables of a term or literal, in reading order, with repetitions.

    Of an aggregate these are the outer ones: what is its body's own has no meaning outside.
    """
    match item:
        case Variable():
            return (item,)
        case Wildcard() | Constant():
            return ()
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return variables(left) + variables(right)
        case Call(arguments=terms) | Atom(terms=terms):
            return tuple(v for term in terms for v in variables(term))
        case Negation(atom=atom):
            return variables(atom)
        case Aggregate(body=body, outer=outer):
            return tuple(v for literal in body for v in variables(literal) if v.name in outer)


def aggregate_of(item: Literal_) -> Aggregate | None:
    """Give the aggregate that is a side of a literal, if it has one."""
    sides = (item.left, item.right) if isinstance(item, Comparison) else ()
    return next((side for side in sides if isinstance(side, Aggregate)), None)


def subterms(item: Term | Literal_) -> Iterator[Term]:
    """Give a term and all inside it, or all terms inside a literal, each before its parts, bodies of aggregates too."""
    match item:
        case Atom(terms=terms):
            children = terms
        case Negation(atom=atom):
            children = atom.terms
        case Comparison(left=left, right=right):
            children = (left, right)
        case Arithmetic(left=left, right=right):
            yield item
            children = (left, right)
        case Call(arguments=arguments):
            yield item
            children = arguments
        case Aggregate(body=body):
            yield item
            for literal in body:
                yield from subterms(literal)
            return
        case _:
            yield item
            return
    for child in children:
        yield from subterms(child)
