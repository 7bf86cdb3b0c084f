"""Encodes a checked program as plain data for a cache, so that it is not parsed and checked again.

The data is a list of scalars, then groups of values of one class, each after those that its values consist of. A value
is known by its position among the scalars and all values; equal values share one. A group of objects has a list of
positions for each field, so that ``map`` makes the objects; any other group has one for each value. The data holds no
code and decodes only to the classes listed here.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import Any, Final, cast

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.schema import Schema
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.syntax import nodes
from liqo_connectivity.engine.syntax.diagnostics import Span
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS, Functor

Data = tuple[list[str | int | None], list[tuple[int, list[list[int]]]]]
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
_NEW: Final[Callable[..., Any]] = cast("Any", tuple).__new__
_TUPLE, _SET, _MAPPING = range(len(_CLASSES), len(_CLASSES) + 3)
_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {made: made.__match_args__ for made in _CLASSES}


def encode(program: Program) -> Data:
    """Encode a program without its texts and functors."""
    scalars: list[str | int | None] = []
    # The class and the parts of each other value. A part is a number: that of a value here, or ~ that of a scalar.
    rows: list[tuple[int, list[int]]] = []
    levels: list[int] = []
    numbers: dict[object, int] = {}

    def row(made: int, parts: Iterable[object]) -> int:
        found = made, [*map(number, parts)]
        key = made, tuple(found[1])
        if key not in numbers:
            numbers[key] = len(rows)
            rows.append(found)
            levels.append(1 + max((levels[part] for part in found[1] if part >= 0), default=0))
        return numbers[key]

    def number(value: object) -> int:
        if type(value) in _FIELDS:
            return row(_CLASSES.index(type(value)), (getattr(value, name) for name in _FIELDS[type(value)]))
        match value:
            case str() | int() | None:
                if (type(value), value) not in numbers:
                    numbers[type(value), value] = ~len(scalars)
                    scalars.append(value)
                return numbers[type(value), value]
            case tuple():
                return row(_TUPLE, cast("Iterable[object]", value))
            case frozenset():
                return row(_SET, sorted(cast("Iterable[str]", value)))
            case Mapping():
                pairs = cast("Mapping[str, object]", value).items()
                return row(_MAPPING, (each for pair in pairs for each in pair))
            case _:
                raise TypeError(f"a program holds no {type(value).__name__}")

    number((program.statements, program.schema, program.rules, program.components))
    order = sorted(range(len(rows)), key=lambda each: (levels[each], rows[each][0]))
    position = {each: len(scalars) + place for place, each in enumerate(order)}
    position.update((~place, place) for place in range(len(scalars)))
    groups: list[tuple[int, list[list[int]]]] = []
    for (_, made), group in groupby(order, key=lambda each: (levels[each], rows[each][0])):
        places = [[position[part] for part in rows[each][1]] for each in group]
        groups.append((made, [[*column] for column in zip(*places, strict=True)] if made < _TUPLE else places))
    return scalars, groups


def decode(data: Data, texts: Mapping[str, str], functors: Mapping[str, Functor] = BUILTIN) -> Program:
    """Decode a program. Data that ``encode`` did not make raises some exception, or decodes to nonsense."""
    scalars, groups = data
    values: list[Any] = [*scalars]
    value = values.__getitem__
    for made, places in groups:
        if made < _TUPLE:
            # All are named tuples: without their own constructors, which check arguments, they are made in C.
            fields = zip(*(map(value, column) for column in places), strict=True)
            values += map(partial(_NEW, _CLASSES[made]), fields)
        elif made == _TUPLE:
            values += [tuple(map(value, parts)) for parts in places]
        elif made == _SET:
            values += [frozenset(map(value, parts)) for parts in places]
        else:
            values += [dict(zip(map(value, parts[::2]), map(value, parts[1::2]), strict=True)) for parts in places]
    statements, schema, rules, components = values[-1]
    return Program(statements, dict(texts), schema, rules, components, {**functors, **CONSTRAINTS})
