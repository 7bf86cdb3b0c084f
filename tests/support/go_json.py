"""How a program in Go writes an object back: without its empty fields."""

from typing import Any


def omit_empty(read: dict[str, Any]) -> dict[str, Any]:
    """The ``object_hook`` of ``json.loads`` that leaves out empty lists and objects, as ``omitempty`` does."""
    return {name: value for name, value in read.items() if value not in ([], {}, None)}
