"""The syntax tree of a program: frozen nodes, each with its place in the text.

Nodes keep what the author wrote (several heads, ``;``, comments on declarations), so that a printed program parses to
the same tree; ``normalize`` turns clauses into the plain rules that evaluation uses. Equality ignores places. Nodes are
named tuples, because a program has thousands of them, and tuples are the quickest to make and to declare.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar

from liqo_connectivity.engine.syntax.diagnostics import Span

Value = str | int
"""A constant: a symbol or a number."""

Row = tuple[Value, ...]
"""One tuple of a relation, in the order of its columns."""


_NOWHERE: Final = Span("", 0, 0, 0, 0)

_N = TypeVar("_N", bound=tuple[object, ...])


def _node(declared: type[_N]) -> type[_N]:
    """Compare, hash and print a named tuple by its class and fields, without its place, which is its last field."""
    names = [name for name in declared.__annotations__ if name != "span"]
    fields = slice(len(names))

    def equal(node: Any, other: object) -> bool:
        return type(other) is declared and node[fields] == other[fields]

    def unequal(node: Any, other: object) -> bool:
        return not equal(node, other)

    def hashed(node: Any) -> int:
        return hash(node[fields])

    def show(node: Any) -> str:
        values = ", ".join([f"{name}={value!r}" for name, value in zip(names, node[fields], strict=True)])
        return f"{declared.__name__}({values})"

    methods = {"__eq__": equal, "__ne__": unequal, "__hash__": hashed, "__repr__": show}
    for name, method in methods.items():
        setattr(declared, name, method)
    return declared


@_node
class Variable(NamedTuple):
    """A variable, named as written."""

    name: str
    span: Span = _NOWHERE


@_node
class Wildcard(NamedTuple):
    """``_``: any value."""

    span: Span = _NOWHERE


@_node
class Constant(NamedTuple):
    """A symbol (``str``) or a number (``int``, 32 bits signed as in Soufflé)."""

    value: Value
    span: Span = _NOWHERE


@_node
class Arithmetic(NamedTuple):
    """``left operator right`` over numbers; division and remainder truncate towards zero, as in Soufflé."""

    operator: Literal["+", "-", "*", "/", "%"]
    left: "Term"
    right: "Term"
    span: Span = _NOWHERE


@_node
class Call(NamedTuple):
    """``@functor(arguments)``: a built-in function of values."""

    functor: str
    arguments: tuple["Term", ...]
    span: Span = _NOWHERE


@_node
class Aggregate(NamedTuple):
    """``count : { body }``, or ``min``, ``max`` or ``sum target : { body }``, as one side of a comparison.

    ``outer`` holds the variables bound outside the braces, sorted; ``normalize`` fills it in, since it depends on the
    rest of the rule. All other variables are local to the body.
    """

    kind: Literal["count", "min", "max", "sum"]
    target: Variable | None
    body: "tuple[Literal_, ...]"
    outer: tuple[str, ...] = ()
    span: Span = _NOWHERE

    @property
    def adds(self) -> bool:
        """Whether the value is a sum over all instances, 0 without any, rather than the best of their values."""
        return self.kind in ("count", "sum")


Term = Variable | Wildcard | Constant | Arithmetic | Call | Aggregate


@_node
class Atom(NamedTuple):
    """``relation(terms)``."""

    relation: str
    terms: tuple[Term, ...]
    span: Span = _NOWHERE


@_node
class Negation(NamedTuple):
    """``!atom``: no such tuple exists."""

    atom: Atom
    span: Span = _NOWHERE


@_node
class Comparison(NamedTuple):
    """``left operator right``; symbols are ordered by code point, numbers as numbers."""

    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    left: Term
    right: Term
    span: Span = _NOWHERE


@_node
class Conjunction(NamedTuple):
    """Items joined by ``,``."""

    items: tuple["Body", ...]


@_node
class Disjunction(NamedTuple):
    """Alternatives joined by ``;``."""

    alternatives: tuple["Body", ...]


Literal_ = Atom | Negation | Comparison
Body = Literal_ | Conjunction | Disjunction


@_node
class Clause(NamedTuple):
    """A fact or rule as written: one or more heads, and a body or ``None`` for a fact."""

    heads: tuple[Atom, ...]
    body: Body | None
    span: Span = _NOWHERE


@_node
class TypeDeclaration(NamedTuple):
    """``.type name <: base``."""

    name: str
    base: str
    span: Span = _NOWHERE


@_node
class Column(NamedTuple):
    """A column of a relation or a parameter of a functor: its name and the name of its type."""

    name: str
    type: str


@_node
class RelationDeclaration(NamedTuple):
    """``.decl name(columns)``; ``doc`` is the text of the ``//`` lines right above it.

    ``hints`` are the qualifiers that only say how to evaluate, such as ``inline``; they change nothing.
    """

    name: str
    columns: tuple[Column, ...]
    doc: str = ""
    hints: tuple[str, ...] = ()
    span: Span = _NOWHERE


@_node
class FunctorDeclaration(NamedTuple):
    """``.functor name(parameters): result``."""

    name: str
    parameters: tuple[Column, ...]
    result: str
    span: Span = _NOWHERE


@_node
class Directive(NamedTuple):
    """``.input`` or ``.output`` of relations."""

    kind: Literal["input", "output"]
    relations: tuple[str, ...]
    span: Span = _NOWHERE


@_node
class Hint(NamedTuple):
    """``.pragma``, ``.plan`` or ``.printsize``: it says how to evaluate or what to print, and changes nothing here.

    ``text`` is the statement as it was written, on one line.
    """

    text: str
    span: Span = _NOWHERE


Statement = TypeDeclaration | RelationDeclaration | FunctorDeclaration | Directive | Hint | Clause


@_node
class Rule(NamedTuple):
    """A rule ready for evaluation: one head and a conjunction, which is empty for a fact.

    ``number`` counts a program's rules from 0 in reading order; proofs refer to the rule by it.
    """

    number: int
    head: Atom
    body: tuple[Literal_, ...]
    span: Span = _NOWHERE


_WITHOUT: Final = (Wildcard, Constant)
"""Terms without variables."""


def variables(item: Term | Literal_) -> tuple[Variable, ...]:
    """List the variables of a term or literal, in reading order, with repetitions.

    An aggregate has only its outer ones: local variables mean nothing outside the braces.
    """
    match item:
        case Atom(terms=terms) | Call(arguments=terms):
            found: list[Variable] = []
            for term in terms:
                # Without a call for each of them: most terms are variables.
                if isinstance(term, Variable):
                    found.append(term)
                elif not isinstance(term, _WITHOUT):
                    found += variables(term)
            return tuple(found)
        case Negation(atom=atom):
            return variables(atom)
        case Variable():
            return (item,)
        case Wildcard() | Constant():
            return ()
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return variables(left) + variables(right)
        case Aggregate(body=body, outer=outer):
            return tuple(v for literal in body for v in variables(literal) if v.name in outer)


def aggregate_of(item: Literal_) -> Aggregate | None:
    """Return the aggregate on either side of a comparison, if any."""
    if not isinstance(item, Comparison):
        return None
    return next((side for side in (item.left, item.right) if isinstance(side, Aggregate)), None)


def subterms(item: Term | Literal_) -> Iterator[Term]:
    """Yield a term and its subterms, or the terms of a literal, in pre-order, including those of aggregate bodies."""
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
