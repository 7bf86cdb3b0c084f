"""Rank maintenance: a row of a recursive component exists while it has a derivation that does not rest on itself.

A row's rank is the least height of its derivations, ignoring everything below the component: 0 for a fact, else one
more than the highest rank among the premises of the same component. The dynamic shortest-path algorithm of Ramalingam
and Reps ("An incremental algorithm for a generalization of the shortest-path problem", J. Algorithms 1996) maintains
the ranks, for the grammar problem of Knuth (1977). A row's rank exceeds those of its premises, so no cycle keeps itself
alive. Only ranks that change are visited, so no row is deleted only to be put back, as delete-and-rederive does.
"""

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush

from liqo_connectivity.engine.codegen.specialization import NO_RANK
from liqo_connectivity.engine.incremental.propagation import ChangeLog, Numbers, Propagator
from liqo_connectivity.engine.incremental.semi_naive import RecursiveRelation, Use, evaluate_component
from liqo_connectivity.engine.syntax.nodes import Row


class RankMaintenance:
    """Maintains the relations of one recursive component."""

    __slots__ = ("_loads", "_members")

    def __init__(
        self, members: Mapping[str, RecursiveRelation], loads: Iterable[tuple[int, Callable[[], None]]]
    ) -> None:
        """``loads`` evaluate the rules that do not recurse, each with the rank of the rows that it derives."""
        self._members = members
        self._loads = loads

    def load(self) -> None:
        """Derive everything by semi-naive evaluation."""
        evaluate_component(self._members, self._loads)

    def update(self, log: ChangeLog) -> None:
        """Recompute the ranks that may have changed; propagate the rows inserted and deleted."""
        _Repair(self._members, log).run()


class _Repair:
    """One run of the algorithm, over rows named by relation.

    ``wanted`` maps each row with a wrong rank to its right one, the least that its derivations give; ``queue`` orders
    these rows by the smaller of the two ranks.
    """

    def __init__(self, members: Mapping[str, RecursiveRelation], log: ChangeLog) -> None:
        self._tables = {name: member.propagator.table for name, member in members.items()}
        self._members = members
        self._log = log
        self._forward = {name: member.forward() for name, member in members.items()}
        self._backward = {name: member.backward() for name, member in members.items()}
        self._wanted: dict[tuple[str, Row], int] = {}
        self._queue: list[tuple[int, str, Row]] = []
        self._left: dict[str, Numbers] = {name: {} for name in members}
        self._came: dict[str, Numbers] = {name: {} for name in members}

    def run(self) -> None:
        for name, table in self._tables.items():
            self._log.partial.append((table, self._left[name], self._came[name]))
            for row in table.changes:
                self._look_again(name, row)
            table.changes.clear()
        while self._queue:
            rank, name, row = heappop(self._queue)
            wanted = self._wanted.get((name, row))
            if wanted is None:
                continue
            has = self._rank(name, row)
            if min(wanted, has) != rank:
                continue
            if wanted < has:
                self._lower(name, row, wanted)
            else:
                self._drop(name, row, wanted)
        self._pass_on()

    def _rank(self, name: str, row: Row) -> int:
        return self._tables[name].rows.get(row, NO_RANK)

    def _look_again(self, name: str, row: Row) -> None:
        """Compute a row's least rank from all its derivations."""
        found: list[int] = [0] if row in self._tables[name].given else []
        if not found:
            self._backward[name](row, found)
        self._want(name, row, min(found, default=NO_RANK))

    def _want(self, name: str, row: Row, rank: int) -> None:
        has = self._rank(name, row)
        if rank == has:
            self._wanted.pop((name, row), None)
        else:
            self._wanted[name, row] = rank
            heappush(self._queue, (min(rank, has), name, row))

    def _lower(self, name: str, row: Row, rank: int) -> None:
        """Set a row's first or a lower rank; the heads that it derives may get lower ranks too."""
        table = self._tables[name]
        del self._wanted[name, row]
        self._remember(name, row)
        if row in table.rows:
            table.rows[row] = rank
        else:
            table.insert({row: rank})
        uses: list[Use] = []
        self._forward[name](row, uses)
        for relation, head, offered in uses:
            if offered < self._wanted.get((relation, head), self._rank(relation, head)):
                self._want(relation, head, offered)

    def _drop(self, name: str, row: Row, wanted: int) -> None:
        """Remove a row whose rank is too low; recompute the heads whose least rank rests on it."""
        table = self._tables[name]
        uses: list[Use] = []
        self._forward[name](row, uses)
        self._remember(name, row)
        table.remove((row,))
        self._want(name, row, wanted)
        for relation, head, offered in uses:
            if offered == self._wanted.get((relation, head), self._rank(relation, head)):
                self._look_again(relation, head)

    def _remember(self, name: str, row: Row) -> None:
        """Record the state of a row before its first change."""
        left, came = self._left[name], self._came[name]
        if row not in left and row not in came:
            rank = self._rank(name, row)
            if rank == NO_RANK:
                came[row] = rank
            else:
                left[row] = rank

    def _pass_on(self) -> None:
        """Propagate the net change of each relation to the rules outside the component."""
        changed: list[tuple[Propagator, Numbers, Numbers]] = []
        for name, table in self._tables.items():
            deleted = {row: rank for row, rank in self._left[name].items() if row not in table.rows}
            inserted = {row: table.rows[row] for row in self._came[name] if row in table.rows}
            changed.append((self._members[name].propagator, deleted, inserted))
        for propagator, deleted, inserted in changed:
            propagator.table.remove(inserted)
            propagator.table.insert(deleted)
        for propagator, deleted, inserted in changed:
            if deleted or inserted:
                propagator.change(self._log, deleted, inserted)
