"""Parts of parsed JSON whose form nobody vouches for: what is not an object or a list reads as an empty one."""

import json
from collections.abc import Mapping
from typing import TypeAlias, cast

Fields: TypeAlias = Mapping[str, object]


def fields(value: object) -> Fields:
    """The fields of an object; none for anything else."""
    return cast("Fields", value) if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """The items of a list; none for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def unknown(value: object) -> str:
    """The text of a match or an element that is not understood; nothing that is rendered has one like it."""
    return f"unknown {json.dumps(value, sort_keys=True, default=str)}"
