"""Keeping derived relations true while facts change: each change is followed to what it changes, and no further.

Relations are settled in order of evaluation. Relations outside recursion are maintained by counting derivations (Gupta,
Mumick and Subrahmanian 1993): a row is there while its count is not zero, so a deletion is an insertion with the other
sign. The counts are exact although no old version of any relation is kept, because of the order of ``change``.
Components that recurse have a module of their own (``recursion``). This module must not know where changes come from,
nor how they are taken back.
"""

import gc
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from time import perf_counter
from typing import Protocol, cast

from liqo_connectivity.engine.codegen import Cell, Template
from liqo_connectivity.engine.dataflow import Dataflow
from liqo_connectivity.engine.join import calculate
from liqo_connectivity.engine.recursion import Recursion
from liqo_connectivity.engine.specialize import Specializer
from liqo_connectivity.engine.store import Table
from liqo_connectivity.engine.syntax import Row

Undo = list[tuple[Table, dict[Row, int | None]]]
"""What was there before each change: rows with their numbers, ``None`` for a row that was not there."""
Follow = Callable[[Mapping[Row, int], int], None]
"""Follows rows of a relation, with a sign, to the heads of the rules that read it."""


class Settler(Protocol):
    """Brings the relations of one component up to date with the changes that were collected for them.

    There is one for each way of deriving: counting, recursion, and later groups.
    """

    def load(self) -> None:
        """Derive everything, from relations before it that are complete."""
        ...

    def settle(self, undo: Undo) -> None:
        """Apply the collected changes, and pass them on; log first what is changed."""
        ...


class Node:
    """A relation in the order of evaluation, and the functions that follow its changes."""

    __slots__ = ("followers", "heads", "negative", "number", "positive", "ready", "table")

    def __init__(self, table: Table, number: int) -> None:
        self.table = table
        self.number = number
        self.heads: tuple[Node, ...] = ()
        self.ready = False
        self.positive: Follow | None = None
        self.negative: Follow | None = None
