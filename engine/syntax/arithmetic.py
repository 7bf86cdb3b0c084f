"""Comparisons, arithmetic and aggregates over values.

Evaluation, maintenance and why-not share these definitions.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

from liqo_connectivity.engine.syntax.diagnostics import DatalogError
from liqo_connectivity.engine.syntax.nodes import Value

NUMBER_RANGE: Final = range(-(2**31), 2**31)
"""Numbers are 32 bits wide, as in a default build of Soufflé."""

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class EvaluationError(DatalogError):
    """A term has no value: a division by zero, a number that needs more than 32 bits, a text that is no pattern."""


def calculate(symbol: str, left: int, right: int) -> int:
    """Compute as Soufflé does. Raises EvaluationError where Soufflé leaves the result undefined."""
    if symbol in "/%" and right == 0:
        raise EvaluationError(f"{left} {symbol} 0 has no value")
    match symbol:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case _:
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            result = quotient if symbol == "/" else left - quotient * right
    if result not in NUMBER_RANGE:
        raise EvaluationError(f"{left} {symbol} {right} needs more than 32 bits")
    return result


def in_range(total: int) -> int:
    """Return a sum. Raises EvaluationError if it needs more than 32 bits."""
    if total not in NUMBER_RANGE:
        raise EvaluationError(f"a sum is {total}, which needs more than 32 bits")
    return total


def folded(kind: Literal["count", "min", "max", "sum"], values: Collection[Value]) -> int | None:
    """Aggregate the values from the instances of a body; ``None`` for ``min`` and ``max`` of no values.

    ``count`` uses only the number of values; no values have the sum 0. Raises EvaluationError for too large a sum. Soufflé's ``min`` and ``max`` have no value over an empty body either.
    """
    if kind == "count":
        return len(values)
    numbers = map(int, values)
    if kind == "sum":
        return in_range(sum(numbers))
    return min(numbers, default=None) if kind == "min" else max(numbers, default=None)
