"""What is new in a transaction of tables: more than elements of sets, or these alone, which change as Liqo's agent does it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, str, str]
"""The family and the table of a set, and its name."""


def apart(commands: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], dict[Place, list[str]]]:
    """The commands of a transaction that add no elements, and the elements of each set."""
    rest = [each for each in commands if "element" not in each.get("add", ())]
    elements: dict[Place, list[str]] = {_named(each["add"]["set"]): [] for each in rest if "set" in each.get("add", ())}
    for each in commands:
        if "element" in each.get("add", ()):
            elements[_named(each["add"]["element"])] += each["add"]["element"]["elem"]
    return rest, elements


def _named(body: Mapping[str, Any]) -> Place:
    return body["family"], body["table"], body["name"]


def refills(old: Mapping[Place, list[str]], new: Mapping[Place, list[str]]) -> Iterator[dict[str, Any]]:
    """Commands that delete all elements of the sets that differ, and add those that they have now."""
    for place, elements in new.items():
        if elements != old[place]:
            body = dict(zip(("family", "table", "name"), place, strict=True))
            yield {"flush": {"set": body}}
            if elements:
                yield {"add": {"element": body | {"elem": elements}}}


def tables(commands: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The tables that a transaction adds, each once."""
    named = [each["add"]["table"] for each in commands if "table" in each.get("add", ())]
    return [table for at, table in enumerate(named) if table not in named[:at]]
