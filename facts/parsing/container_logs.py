"""The logs of containers that `kubectl cluster-info dump` prints between objects: found, and left out of the text.

Anyone who runs a container writes its log, so a log must not be able to end early and go on as an object. A text in which the
lines around logs do not pair is refused as a whole.
"""

import re
from typing import Final, NamedTuple

from liqo_connectivity.facts.parsing.documents import UnparsableError

# A log need not end with a line end, so what ends it may follow on its last line (k8s.io/kubectl, clusterinfo_dump.go).
_EDGE: Final = re.compile(
    r"^==== START logs for container (?P<start>\S+ of pod \S+) ====\r?$"
    r"|==== END logs for container (?P<end>\S+ of pod \S+) ====\r?$",
    re.MULTILINE,
)
_FIRST: Final = "==== START logs for container "
_HELP: Final = (
    "a log may hold these lines itself: write a folder instead (kubectl cluster-info dump --output-directory)"
)


class WithoutLogs(NamedTuple):
    """A text with an empty line in place of each line of a log, and how many logs it had."""

    text: str
    logs: int


def without_logs(text: str) -> WithoutLogs:
    """Leave the logs out of a text.

    Raises:
        UnparsableError: a log does not end, ends without having begun, holds the first line of another, or is there twice.
    """
    if not text.startswith(_FIRST) and f"\n{_FIRST}" not in text:
        return WithoutLogs(text, 0)
    kept: list[str] = []
    seen: set[str] = set()
    name, end = "", 0
    for edge in _EDGE.finditer(text):
        if edge["start"] and not name and edge["start"] not in seen:
            name = edge["start"]
            seen.add(name)
            kept.append(text[end : edge.start()])
        elif name and edge["end"] == name:
            kept.append("\n" * text.count("\n", end, edge.end()))
            name = ""
        else:
            line = text.count("\n", 0, edge.start()) + 1
            raise UnparsableError(line, "has a line about the log of a container where none is due", _HELP)
        end = edge.start() if name else edge.end()
    if name:
        raise UnparsableError(text.count("\n") + 1, "ends inside the log of a container", "write it again")
    kept.append(text[end:])
    return WithoutLogs("".join(kept), len(seen))
