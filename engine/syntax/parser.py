"""The parser: turns text into a syntax tree, and gives every error a place and a fix.

It wraps lark, which only ``tree_builder`` also imports. An error names the Soufflé construct that the dialect lacks.
"""

# lark is only partly typed: pyright does not know some of its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import re
from functools import cache
from importlib.resources import files
from typing import cast

from lark import Lark, ParseTree, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.tree import Meta

from liqo_connectivity.engine.syntax import nodes
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic, ProgramError, Span
from liqo_connectivity.engine.syntax.functors import INTRINSIC
from liqo_connectivity.engine.syntax.tree_builder import Builder

_LEFT_OUT = (
    (re.compile(r"\.(comp|init|override)\b"), "components ({})"),
    (re.compile(r"\.(limitsize|lattice|once|include|symbol_type|number_type)\b"), "{}"),
    (re.compile(r"(mean)(?=\s*[(:\w?@\"-])"), "the aggregate {}"),
    (
        re.compile(r"(min|max|sum)(?=\s*(\([^()]*\)[^:=<>!,.;]*:|[@\"0-9-]|\s[\w?]+\s*[-+*/%]))"),
        "{} of more than a variable",
    ),
    (re.compile(r"(min|max|range)(?=\s*\()"), "the functor {} of Soufflé"),
    (re.compile(r"(count|min|max|sum)(?=\s*[:\w?])(?!\w)"), "an aggregate other than as one side of a comparison ({})"),
    (re.compile(rf"({'|'.join(INTRINSIC)})(?=\s*\()"), "the functor {} of Soufflé"),
    (
        re.compile(r"(btree_delete|eqrel|choice-domain|overridable)\b"),
        "the qualifier {}",
    ),
    (re.compile(r"(true|false)\b"), "the constant {}"),
    (re.compile(r"(band|bor|bxor|bnot|bshl|bshr|bshru|land|lor|lxor|lnot)\b|\^"), "the operator {}"),
    (re.compile(r"\[|\$"), "records and algebraic data types ({})"),
    (re.compile(r"[0-9]+\.[0-9]+"), "floats ({})"),
    (re.compile(r"0[xb][0-9a-fA-F]+"), "hexadecimal and binary numbers ({})"),
    (re.compile(r"[0-9]+u\b"), "unsigned numbers ({})"),
    (re.compile(r"<=(?=\s*\w+\s*\()"), "subsumption ({})"),
    (re.compile(r"#\w*"), "the C preprocessor ({})"),
)
_TARGET = re.compile(r"(min|max|sum)\s+[\w?]+\s*\Z")
_CALL = re.compile(r"\w+\s*\([^()]*\)\s*\Z")
_FLOAT = re.compile(r"[0-9]+\.\Z")
_TYPE = re.compile(r"\.type\s+\w+\s*\Z")
_DIRECTIVE = re.compile(r"\.(in|out)put\s+\w+(\s*(\(\s*\))?\s*,\s*\w+)*\s*\(\s*\Z")
_ENDS = re.compile(r'"([^"\\\n]|\\.)*"')
_CALLED = re.compile(r"\s*\(")
_LAST_WORD = re.compile(r"\w+\s*\Z")
_LOOK_BACK = 200
"""How many characters before an error are searched to name the construct."""

_WORDS = """
    as autoinc band bnot bor brie bshl bshr bshru btree btree_delete bxor cat contains count debug_delta eqrel false fold
    inline input land lnot lor lxor magic match max mean min nil no_inline no_magic ord output overridable printsize range
    recursive_iteration_cnt stateful strlen substr sum to_float to_number to_string to_unsigned true
    __FILE__ __INCL__ __LINE__ __ITERATION__
"""
RESERVED: frozenset[str] = frozenset(_WORDS.split())
"""Keywords of Soufflé's scanner in some version from 2.0 to 2.5; none can be a name."""

MAX_DEPTH = 100
"""Maximum nesting depth of terms and bodies; each operator in a chain such as ``1 + 2 + 3`` adds a level."""


def parse_program(text: str, file: str) -> tuple[nodes.Statement, ...]:
    """Parse a program text; ``file`` is the file name in places.

    Raises ProgramError at the first syntax error (DL001) or construct that the dialect lacks (DL002), and for names
    that Soufflé reserves (DL015).
    """
    return cast("tuple[nodes.Statement, ...]", _parse(text, file, "program"))


def parse_goal(text: str, file: str = "goal") -> nodes.Body:
    """Parse a goal such as ``member(P, "offloaded", A), pod_ip(Pod, A)``. Raises ProgramError."""
    return cast("nodes.Body", _parse(text, file, "goal"))


@cache
def _lark() -> Lark:
    grammar = files("liqo_connectivity.engine.syntax").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", start=["program", "goal"], propagate_positions=True, maybe_placeholders=False)


def _parse(text: str, file: str, start: str) -> object:
    try:
        tree = _lark().parse(text, start=start)
    except UnexpectedInput as error:
        raise ProgramError([_unexpected(error, text, file)], {file: text}) from None
    deep = _too_deep(tree)
    if deep is not None:
        place = Span(file, deep.line, deep.column, deep.end_line, deep.end_column)
        message = f"this is nested more than {MAX_DEPTH} deep"
        found = Diagnostic("DL001", "error", message, place, help="derive a part of it by a separate rule")
        raise ProgramError([found], {file: text})
    reserved = _reserved(tree, text, file)
    if reserved:
        raise ProgramError(reserved, {file: text})
    return Builder(file, text).transform(tree)


def _reserved(tree: ParseTree, text: str, file: str) -> list[Diagnostic]:
    """Report names that Soufflé reserves, each at its first occurrence."""
    found: dict[str, Diagnostic] = {}
    note = "Soufflé reads it as a keyword everywhere, never as a name"
    hint = "choose another name; docs/dialect.md lists what can be written instead of Soufflé's own"
    for token in tree.scan_values(
        lambda leaf: isinstance(leaf, Token) and leaf.type == "NAME" and str(leaf) in RESERVED
    ):
        place = _span_at(text, cast("int", token.start_pos), file)
        before = text[: cast("int", token.start_pos)].rstrip()
        if (
            token in INTRINSIC
            and not before.endswith((".decl", ".functor", "@"))
            and _CALLED.match(text, cast("int", token.end_pos))
        ):
            found.setdefault(str(token), _left_out(f"the functor {token} of Soufflé", place))
            continue
        message = f"{str(token)!r} is a reserved word and names nothing"
        found.setdefault(str(token), Diagnostic("DL015", "error", message, place, note, hint))
    return list(found.values())


def _too_deep(root: ParseTree) -> Meta | None:
    pending = [(root, 0)]
    while pending:
        tree, depth = pending.pop()
        if depth > MAX_DEPTH:
            return tree.meta
        if tree.data in ("term", "product"):
            depth += len(tree.children) // 2
        pending.extend((child, depth + 1) for child in tree.children if isinstance(child, Tree))
    return None


def _unexpected(error: UnexpectedInput, text: str, file: str) -> Diagnostic:
    token = error.token if isinstance(error, UnexpectedToken) else None
    at_end = token is not None and token.type == "$END"
    position = len(text.rstrip()) if at_end else cast("int", error.pos_in_stream)
    before = text[max(0, position - _LOOK_BACK) : position]
    span = _span_at(text, position, file)
    starts = [_LAST_WORD.search(before)]
    if text[position : position + 1] in set("=<>!+-*/%:"):
        starts += [_CALL.search(before), _TARGET.search(before)]
    if text[position : position + 1].isdigit():
        starts.append(_FLOAT.search(before))
    for place in [position, *(position - len(start.group()) for start in starts if start)]:
        for pattern, construct in _LEFT_OUT:
            found = pattern.match(text, place)
            if found:
                return _left_out(construct.format(found.group()), _span_at(text, place, file))
    if text.startswith(";", position) and "RBRACE" in _accepted(error):
        return _left_out("alternatives inside an aggregate (;)", span)
    if text.startswith("=", position) and _TYPE.search(before):
        return _left_out("types other than subtypes (<:)", span)
    if not at_end and _DIRECTIVE.search(before):
        return _left_out("parameters of .input and .output", span)
    given = text[position : position + span.end_column - span.column]
    if at_end:
        message, hint = "the text ends inside a statement", "close it: facts and rules end with '.'"
    elif text.startswith("/*", position):
        message, hint = "this comment has no end", "close it with */"
    elif text.startswith('"', position) and token is None:
        ends = _ENDS.match(text, position)
        message = "this symbol has an escape that does not exist" if ends else "this symbol has no end on its line"
        hint = 'escapes are \\" \\\\ \\n \\r \\t, and no others'
    else:
        message, pair = f"unexpected {given!r}", text[max(0, position - 1) : position + 1].strip()
        hint = _SLIPS.get(pair) or _SLIPS.get(given) or _expected(error)
    return Diagnostic("DL001", "error", message, span, help=hint)


def _left_out(construct: str, span: Span) -> Diagnostic:
    message = f"the dialect does not have {construct}"
    return Diagnostic("DL002", "error", message, span, help="docs/dialect.md lists what can be written instead")


def _span_at(text: str, position: int, file: str) -> Span:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    found = re.compile(r"\.?\w{1,80}|:-|[<>!]=|\S").match(text, position)
    return Span(file, line, column, line, column + (len(found.group()) if found else 1))


_SLIPS = {
    "'": 'symbols are written in double quotes: "like this"',
    "==": "equality is written with one =",
    "\\": "negation is written !relation(...)",
}
_TOKENS = {
    "DOT": "'.'",
    "COMMA": "','",
    "LPAR": "'('",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "RPAR": "')'",
    "COLON": "':'",
    "_SUBTYPE": "'<:'",
    "_IF": "':-'",
    "NAME": "a name",
    "NUMBER": "a number",
    "OPERATOR": "a comparison",
}


def _accepted(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        return set(error.accepts or error.expected)
    return set(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else set()


def _expected(error: UnexpectedInput) -> str:
    accepted = _accepted(error)
    if "STRING" in accepted:
        return 'a term stands here: a variable, _, a number, a "symbol" or a @functor(...)'
    if "_DECL" in accepted:
        return "a statement begins here: a fact, a rule, .decl, .type, .functor, .input or .output"
    wanted = [text for name, text in _TOKENS.items() if name in accepted]
    return f"expected {' or '.join(wanted)}" if wanted else "docs/dialect.md lists what can be written"
