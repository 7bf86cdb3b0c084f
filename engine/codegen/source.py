"""Generates Python source and makes functions of it.

A join written as nested loops runs several times faster than an interpreted plan. The source holds no outside text:
identifiers are numbered (``v1``, ``r2``), and every constant, functor and table is a parameter of the factory that the
source defines. No name or value of a program or fact ever becomes source. Only this module executes source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Literal, NamedTuple, cast

from liqo_connectivity.engine.codegen.compilation import KEPT, compiled, templates
from liqo_connectivity.engine.syntax.nodes import Aggregate, Arithmetic, Call, Constant, Term, Value, Variable, Wildcard


class Capture(NamedTuple):
    """A parameter of the factory that makes a generated function.

    ``rows``, ``changes``: dictionaries of the relation ``name``; ``index``: its index on ``columns``;
    ``lookup``: the method ``get`` of that index; ``functor``: the function ``name``; ``counters``: the list of the rule
    with number ``constant``; ``clock``: a function that returns seconds; ``work``: the ``Work`` of the rule at the place
    ``constant``; ``refill``: ``Meter.refill``.
    """

    kind: Literal[
        "rows", "changes", "index", "lookup", "constant", "functor", "calculate", "counters", "clock", "work", "refill"
    ]
    name: str = ""
    columns: tuple[int, ...] = ()
    constant: Value = 0


class Template(NamedTuple):
    """Compiled source of a factory, and the captures that it takes, in order."""

    code: CodeType
    captures: tuple[Capture, ...]
    source: str

    def make(self, resolve: Callable[[Capture], object]) -> object:
        """Make the function; ``resolve`` returns the value of each capture."""
        namespace: dict[str, Callable[..., object]] = {}
        exec(self.code, namespace)  # noqa: S102  # the source is ours: it holds no name and no value of a program
        # Popped, so that the function and its globals do not keep each other alive.
        return namespace.pop("make")(*[resolve(capture) for capture in self.captures])


def remembered(key: str, write: Callable[[], Template]) -> Template:
    """Return the template of a key, which holds all that the template depends on, or write it if nobody has yet."""
    stored = templates.get(key)
    if stored is not None:
        code, source, captures = stored
        return Template(code, tuple(Capture(*cast("tuple[Any, ...]", fields)) for fields in captures), source)
    found = write()
    if len(templates) >= KEPT:
        templates.clear()
    templates[key] = found.code, found.source, [(c.kind, c.name, c.columns, c.constant) for c in found.captures]
    return found


@dataclass
class Writer:
    """Source under construction: lines, the current indentation, and the identifier of each capture."""

    lines: list[str] = field(default_factory=list[str])
    captures: dict[Capture, str] = field(default_factory=dict[Capture, str])
    depth: int = 1
    _helpers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _fresh: int = 0

    def line(self, text: str) -> None:
        """Write a line at the current indentation."""
        self.lines.append(" " * self.depth + text)

    def open(self, text: str) -> None:
        """Write a line that begins a block, and indent."""
        self.line(text)
        self.depth += 1

    def capture(self, capture: Capture) -> str:
        """Return the identifier of a capture."""
        return self.captures.setdefault(capture, f"c{len(self.captures)}")

    def name(self, letter: str) -> str:
        """Return an unused identifier."""
        self._fresh += 1
        return f"{letter}{self._fresh}"

    def function(self, parameters: Sequence[str], body: Callable[[], None]) -> str:
        """Write a function and its body's helpers inside the factory; return the function's name."""
        name = self.name("f")
        self._define(name, parameters, body)
        while self._helpers:
            self._helpers.pop()()
        return name

    def helper(self, arguments: Sequence[str], body: Callable[[], None]) -> None:
        """Continue in a separate function, called here and written later."""
        name = self.name("h")
        self.line(f"{name}({', '.join(arguments)})")
        self._helpers.append(lambda: self._define(name, arguments, body))

    def _define(self, name: str, parameters: Sequence[str], body: Callable[[], None]) -> None:
        self.depth = 1
        self.open(f"def {name}({', '.join(parameters)}):")
        start = len(self.lines)
        body()
        self.depth = 2
        if len(self.lines) == start:
            self.line("pass")

    def finish(self, result: str, label: str) -> Template:
        """Compile the factory, which returns ``result``; tracebacks show ``label`` as the file name."""
        source = "\n".join([f"def make({', '.join(self.captures.values())}):", *self.lines, f" return {result}", ""])
        return Template(compiled(source, label), tuple(self.captures), source)

    def value(self, term: Term, names: Mapping[str, str]) -> str:
        """Write a term, given the identifiers of variables."""
        match term:
            case Variable(name=name):
                return names[name]
            case Constant(value=constant):
                return self.capture(Capture("constant", constant=constant))
            case Arithmetic(operator=symbol, left=left, right=right):
                operator = self.capture(Capture("constant", constant=symbol))
                return f"{self.capture(Capture('calculate'))}({operator}, {self.value(left, names)}, {self.value(right, names)})"
            case Call(functor=functor, arguments=arguments):
                values = ", ".join(self.value(argument, names) for argument in arguments)
                return f"{self.capture(Capture('functor', functor))}({values})"
            case Wildcard() | Aggregate():
                raise AssertionError("analysis refuses _ where a value is needed, and dataflow refuses aggregates")

    def row(self, terms: Iterable[Term], names: Mapping[str, str]) -> str:
        """Write a tuple of terms, or the identifier of an equal row: rows are shared, not copied."""
        written = tuple_of(self.value(term, names) for term in terms)
        return names.get(written, written)


def tuple_of(values: Iterable[str]) -> str:
    """Write a tuple."""
    return f"({''.join(f'{value}, ' for value in values)})"


def key(columns: Sequence[int], row: str) -> str:
    """Write the key of a row in an index: the bare value of one column, a tuple of several."""
    values = [f"{row}[{column}]" for column in columns]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"
