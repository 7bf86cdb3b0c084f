"""What an agent is to have in the kernel, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from liqo_connectivity.chains import AgentTable


@dataclass(frozen=True, slots=True)
class Desired:
    """What is to be in the kernel: the tables of peerings whose chains are complete, and why those of others are not.

    ``problems`` are by peering, and under the empty name what is wrong with the source itself. If ``is_all``, a peering that is
    in neither has no chains any more; otherwise nothing is said about it.
    """

    tables: tuple[AgentTable, ...]
    problems: Mapping[str, str]
    is_all: bool = False


class Source(Protocol):
    """Where the chains come from."""

    def changed(self) -> Desired | None:
        """What is wanted now; None if that is what was returned last, or cannot be known at the moment."""
        ...
