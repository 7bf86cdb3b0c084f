"""Encodes a checked program as plain data for a cache, so that it is not parsed and checked again.

The data is a list of values, each a scalar or a list ``[class, field, ...]`` whose fields are positions of earlier
values. Equal values share a position. The data holds no code and decodes only to the classes listed here.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.schema import Schema
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.syntax import nodes
from liqo_connectivity.engine.syntax.diagnostics import Span
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS, Functor

Data = list[str | int | list[int] | None]
"""An encoded program: the last value is its statements, schema, rules and components."""

_CLASSES: Final[tuple[type[Any], ...]] = (
    Span,
    Schema,
    Component,
    nodes.Aggregate,
    nodes.Arithmetic,
    nodes.Atom,
    nodes.Call,
    nodes.Clause,
    nodes.Column,
    nodes.Comparison,
    nodes.Conjunction,
    nodes.Constant,
    nodes.Directive,
    nodes.Disjunction,
    nodes.FunctorDeclaration,
    nodes.Hint,
    nodes.Negation,
    nodes.RelationDeclaration,
    nodes.Rule,
    nodes.TypeDeclaration,
    nodes.Variable,
    nodes.Wildcard,
)
_TUPLE, _SET, _MAPPING = range(len(_CLASSES), len(_CLASSES) + 3)
_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {made: made.__match_args__ for made in _CLASSES}


def encode(program: Program) -> Data:
    """Encode a program without its texts and functors."""
    data: Data = []
    places: dict[object, int] = {}

    def keep(key: object, entry: str | int | list[int] | None) -> int:
        if key not in places:
            places[key] = len(data)
            data.append(entry)
        return places[key]

    def row(made: int, parts: Iterable[object]) -> int:
        found = [made, *map(place, parts)]
        return keep(tuple(found), found)

    def place(value: object) -> int:
        if type(value) in _FIELDS:
            return row(_CLASSES.index(type(value)), (getattr(value, name) for name in _FIELDS[type(value)]))
        match value:
            case str() | int() | None:
                return keep((type(value), value), value)
            case tuple():
                return row(_TUPLE, cast("Iterable[object]", value))
            case frozenset():
                return row(_SET, sorted(cast("Iterable[str]", value)))
            case Mapping():
                pairs = cast("Mapping[str, object]", value).items()
                return row(_MAPPING, (each for pair in pairs for each in pair))
            case _:
                raise TypeError(f"a program holds no {type(value).__name__}")

    place((program.statements, program.schema, program.rules, program.components))
    return data


def decode(data: Data, texts: Mapping[str, str], functors: Mapping[str, Functor] = BUILTIN) -> Program:
    """Decode a program. Data that ``encode`` did not make raises some exception, or decodes to nonsense."""
    values: list[Any] = []
    value = values.__getitem__
    add = values.append
    for entry in data:
        if not isinstance(entry, list):
            add(entry)
            continue
        made, *places = entry
        if made < _TUPLE:
            add(_CLASSES[made](*map(value, places)))
        elif made == _TUPLE:
            add(tuple(map(value, places)))
        elif made == _SET:
            add(frozenset(map(value, places)))
        else:
            add(dict(zip(map(value, places[::2]), map(value, places[1::2]), strict=True)))
    statements, schema, rules, components = values[-1]
    return Program(statements, dict(texts), schema, rules, components, {**functors, **CONSTRAINTS})
