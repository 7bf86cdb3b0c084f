"""The facts about input that files give: which kinds it has no object of. Rules decide what is unknown without them."""

from collections.abc import Iterable
from typing import Final

from liqo_connectivity.facts.base.fact import Fact, Source
from liqo_connectivity.rules import relations

INPUT: Final = "Input"
"""The kind of the source of these facts."""
FILES: Final = "files"
"""Its name."""


def kinds_absent(kinds: Iterable[str]) -> tuple[Fact, ...]:
    """The facts that files hold no object of some kinds, all with one source."""
    source = Source(INPUT, "", FILES, "", "")
    return tuple(Fact(relations.KindAbsent(kind), source, "", kind) for kind in kinds)
