"""Reads the fields of an object one by one: what is unknown, missing, of another type or too large is refused, with its place.

A server drops a field that its schema does not know, and what is left of a rule could match more. So nothing has a default.
"""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.values import Address, address

T = TypeVar("T")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the object, as kind namespace/name, and the path of the field in it."""

    object: str
    path: str = ""

    def at(self, step: str | int) -> "Place":
        """A field of the value, or one of its items."""
        if isinstance(step, int):
            return Place(self.object, f"{self.path}[{step}]")
        return Place(self.object, f"{self.path}.{step}" if self.path else step)

    def error(self, problem: str) -> ChainError:
        """What to raise for a value."""
        return ChainError(f"{self.object}: {self.path}: {problem}" if self.path else f"{self.object}: {problem}")


@contextmanager
def placed(place: Place) -> Generator[None]:
    """Say of a ChainError raised inside where the value stands that it is about, unless it says so."""
    try:
        yield
    except ChainError as error:
        raise (error if str(error).startswith(place.object) else place.error(str(error))) from None


def fields(
    place: Place, value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, object]:
    """The fields of an object: all of the required ones, perhaps some of the optional ones, no others."""
    if not isinstance(value, dict):
        raise place.error(f"{_shown(value)} is not an object")
    found = cast("dict[object, object]", value)
    for name in found:
        if name not in required and name not in optional:
            raise place.error(f"unknown field {_shown(name)}; known are {', '.join((*required, *optional))}")
    for name in required:
        if name not in found:
            raise place.error(f"the field {name} is missing")
    return cast("Mapping[str, object]", found)


def items(place: Place, value: object, most: int, least: int = 0) -> list[tuple[Place, object]]:
    """The items of a list, each with its place."""
    if not isinstance(value, list):
        raise place.error(f"{_shown(value)} is not a list")
    found = cast("list[object]", value)
    if not least <= len(found) <= most:
        raise place.error(f"{len(found)} items are not {least} to {most}")
    return [(place.at(index), item) for index, item in enumerate(found)]


def text(place: Place, value: object, pattern: re.Pattern[str], most: int) -> str:
    """A text of at most so many characters that the whole pattern matches."""
    if not isinstance(value, str) or len(value) > most or not pattern.fullmatch(value):
        raise place.error(f"{_shown(value)} is not a text of at most {most} characters that matches {pattern.pattern}")
    return value


def word(place: Place, value: object, words: Mapping[str, T]) -> T:
    """The meaning of a word of a closed vocabulary."""
    if not isinstance(value, str) or value not in words:
        raise place.error(f"{_shown(value)} is none of {', '.join(words)}")
    return words[value]


def whole(place: Place, value: object, least: int, most: int) -> int:
    """A whole number; true and false are none."""
    if type(value) is not int or not least <= value <= most:
        raise place.error(f"{_shown(value)} is not a whole number from {least} to {most}")
    return value


def truth(place: Place, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise place.error(f"{_shown(value)} is not true or false")
    return value


def ip_address(place: Place, value: object) -> Address:
    """An IP address in canonical text."""
    if not isinstance(value, str):
        raise place.error(f"{_shown(value)} is not an IP address")
    return address(f"{place.object}: {place.path}", value)


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
