"""What an agent is doing, as a value: made by its loop after each round, and read by the thread that serves it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PeeringState:
    """The chains of a peering on this node.

    ``error`` says why the kernel has not what is wanted, and is empty if it has; it then has what was applied at ``time``,
    in seconds since 1970, if ever. ``rules`` and ``elements`` are those of both families.
    """

    time: float | None = None
    rules: int = 0
    elements: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class AgentState:
    """The peerings by cluster id, and what was done since the start: repaired tables, transactions, children that wrote.

    ``unready`` says why not all is applied that is wanted; it is empty if it is. ``tables`` are the family and name of each
    table that was applied.
    """

    peerings: Mapping[str, PeeringState] = field(default_factory=dict[str, PeeringState])
    tables: tuple[tuple[str, str], ...] = ()
    repairs: int = 0
    writes: int = 0
    starts: int = 0
    unready: str = "nothing was read yet"
