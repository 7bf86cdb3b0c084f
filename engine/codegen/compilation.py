"""Compiles generated source, each text once. A cache may put the code of earlier processes into ``codes``."""

from types import CodeType
from typing import Final

Codes = dict[tuple[str, str], CodeType]
"""Code by source and label."""

codes: Final[Codes] = {}
"""The code of this process. Identifiers in sources are numbered, so rules of the same form share one source."""

_KEPT: Final = 4096
"""The number of codes kept, so that a process that writes new rules all the time does not grow."""


def compiled(source: str, label: str) -> CodeType:
    """Compile a source; tracebacks show ``label`` as its file name."""
    code = codes.get((source, label))
    if code is None:
        code = compile(source, f"<{label}>", "exec")
        if len(codes) >= _KEPT:
            codes.clear()
        codes[source, label] = code
    return code
