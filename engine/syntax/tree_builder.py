"""Builds the syntax tree from lark's parse tree."""

# lark is only partly typed: pyright does not know some of its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import re
from typing import Any, cast

from lark import Token, Transformer, v_args
from lark.tree import Meta

from liqo_connectivity.engine.syntax import nodes
from liqo_connectivity.engine.syntax.diagnostics import Span

_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_ESCAPE = re.compile(r'\\["\\nrt]')


def unescape(literal: str) -> str:
    """Turn a quoted symbol of a program text into its value."""
    return _ESCAPE.sub(lambda match: _ESCAPES[match.group()], literal[1:-1])


def _integer(digits: str) -> int:
    # Python refuses to parse thousands of digits; the check of names reports such a number as out of range.
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) < 100 else 10**100


@v_args(meta=True)
class Builder(Transformer[Token, object]):
    """Builds syntax nodes bottom-up, one method per grammar rule."""

    def __init__(self, file: str, text: str) -> None:
        super().__init__()
        self._file = file
        self._text = text
        # Split at line feeds only, as lark does: str.splitlines() splits at eight other characters too.
        self._lines = text.split("\n")

    def _span(self, meta: Meta) -> Span:
        return Span(self._file, meta.line, meta.column, meta.end_line, meta.end_column)

    def program(self, _: Meta, children: list[Any]) -> object:
        # A declaration may be of several relations.
        return tuple(s for child in children for s in (child if type(child) is tuple else (child,)))

    def goal(self, _: Meta, children: list[Any]) -> object:
        return children[0]

    def type_declaration(self, meta: Meta, children: list[Any]) -> object:
        return nodes.TypeDeclaration(str(children[0]), str(children[1]), self._span(meta))

    def column(self, _: Meta, children: list[Any]) -> object:
        return nodes.Column(str(children[0]), str(children[1]))

    def relation_declaration(self, meta: Meta, children: list[Any]) -> object:
        names, *rest = children
        columns = tuple(child for child in rest if isinstance(child, nodes.Column))
        hints = tuple(str(child) for child in rest if isinstance(child, Token))
        doc, span = self._doc(meta.line), self._span(meta)
        return tuple(nodes.RelationDeclaration(name, columns, doc, hints, span) for name in names)

    def names(self, _: Meta, children: list[Any]) -> object:
        return tuple(map(str, children))

    def _doc(self, line: int) -> str:
        first = line - 1
        while first > 0 and self._lines[first - 1].startswith("// "):
            first -= 1
        return " ".join(text.removeprefix("// ").strip() for text in self._lines[first : line - 1])

    def functor_declaration(self, meta: Meta, children: list[Any]) -> object:
        name, *parameters, result = children
        return nodes.FunctorDeclaration(str(name), tuple(parameters), str(result), self._span(meta))

    def directive(self, meta: Meta, children: list[Any]) -> object:
        kind, *names = map(str, children)
        return nodes.Directive("input" if kind == ".input" else "output", tuple(names), self._span(meta))

    def hint(self, meta: Meta, _: list[Any]) -> object:
        written = self._text[meta.start_pos : meta.end_pos]
        return nodes.Hint(" ".join(_COMMENT.sub(" ", written).split()), self._span(meta))

    def heads(self, _: Meta, children: list[Any]) -> object:
        return tuple(children)

    def clause(self, meta: Meta, children: list[Any]) -> object:
        return nodes.Clause(children[0], children[1] if len(children) > 1 else None, self._span(meta))

    def disjunction(self, _: Meta, children: list[Any]) -> object:
        return nodes.Disjunction(tuple(children))

    def conjunction(self, _: Meta, children: list[Any]) -> object:
        return nodes.Conjunction(tuple(children))

    def group(self, _: Meta, children: list[Any]) -> object:
        return children[0]

    def negation(self, meta: Meta, children: list[Any]) -> object:
        return nodes.Negation(children[0], self._span(meta))

    def atom(self, meta: Meta, children: list[Any]) -> object:
        name, *terms = children
        return nodes.Atom(str(name), tuple(terms), self._span(meta))

    def constraint(self, meta: Meta, children: list[Any]) -> object:
        name, *arguments = children
        span = self._span(meta)
        return nodes.Comparison("=", nodes.Call(str(name), tuple(arguments), span), nodes.Constant(1, span), span)

    def opposite(self, meta: Meta, children: list[Any]) -> object:
        span = self._span(meta)
        return nodes.Comparison("=", children[0].left, nodes.Constant(0, span), span)

    def comparison(self, meta: Meta, children: list[Any]) -> object:
        left, operator, right = children
        return nodes.Comparison(cast("Any", str(operator)), left, right, self._span(meta))

    def aggregate(self, meta: Meta, children: list[Any]) -> object:
        kind, *body = children
        target = None
        if isinstance(body[0], Token):
            name, *body = body
            place = Span(self._file, name.line, name.column, name.end_line, name.end_column)
            target = nodes.Variable(str(name), place)
        return nodes.Aggregate(cast("Any", str(kind)), target, tuple(body), (), self._span(meta))

    def term(self, meta: Meta, children: list[Any]) -> object:
        return self._fold(meta, children)

    def product(self, meta: Meta, children: list[Any]) -> object:
        return self._fold(meta, children)

    def _fold(self, meta: Meta, children: list[Any]) -> object:
        left = children[0]
        for operator, right in zip(children[1::2], children[2::2], strict=True):
            left = nodes.Arithmetic(cast("Any", str(operator)), left, right, self._span(meta))
        return left

    def variable(self, meta: Meta, children: list[Any]) -> object:
        return nodes.Variable(str(children[0]), self._span(meta))

    def wildcard(self, meta: Meta, _: list[Any]) -> object:
        return nodes.Wildcard(self._span(meta))

    def symbol(self, meta: Meta, children: list[Any]) -> object:
        return nodes.Constant(unescape(str(children[0])), self._span(meta))

    def number(self, meta: Meta, children: list[Any]) -> object:
        return nodes.Constant(_integer(str(children[0])), self._span(meta))

    def negative(self, meta: Meta, children: list[Any]) -> object:
        (term,) = children
        if isinstance(term, nodes.Constant) and isinstance(term.value, int):
            return nodes.Constant(-term.value, self._span(meta))
        return nodes.Arithmetic("-", nodes.Constant(0, self._span(meta)), term, self._span(meta))

    def call(self, meta: Meta, children: list[Any]) -> object:
        name, *arguments = children
        return nodes.Call(str(name), tuple(arguments), self._span(meta))
