"""What generating functions leaves for the next database: code by its source, and templates by what they depend on.

A cache may put in what earlier processes left, and keep what this one does.
"""

from types import CodeType
from typing import Final

from liqo_connectivity.engine.syntax.nodes import Value

Codes = dict[tuple[str, str], CodeType]
"""Code by source and label."""
Templates = dict[str, tuple[CodeType, str, list[tuple[str, str, tuple[int, ...], Value]]]]
"""Code, source and captures of a template, by a text that holds all that it depends on."""

codes: Final[Codes] = {}
"""The code of this process. Identifiers in sources are numbered, so rules of the same form share one source."""
templates: Final[Templates] = {}
"""The templates of this process."""

KEPT: Final = 4096
"""The number of each that is kept, so that a process that writes new rules all the time does not grow."""


def compiled(source: str, label: str) -> CodeType:
    """Compile a source; tracebacks show ``label`` as its file name."""
    code = codes.get((source, label))
    if code is None:
        code = compile(source, f"<{label}>", "exec")
        if len(codes) >= KEPT:
            codes.clear()
        codes[source, label] = code
    return code
