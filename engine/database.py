"""The database: facts that change, everything that follows from them, kept true at the cost of what changes.

The one object that callers need: load, transactions, what-if, snapshots, plans and counters. A ``Database`` is a
``Model``, so proofs and questions run on it as on the reference evaluator's. One thread writes; others read snapshots.
This module must not know how anything is derived.
"""

import gc
from dataclasses import dataclass
from threading import RLock
from typing import Final

from liqo_connectivity.engine.dataflow import Dataflow
from liqo_connectivity.engine.diagnostics import UnknownRelationError
from liqo_connectivity.engine.intake import Intake
from liqo_connectivity.engine.maintenance import Maintenance
from liqo_connectivity.engine.model import Facts, Model
from liqo_connectivity.engine.program import Program
from liqo_connectivity.engine.relation import Relation
from liqo_connectivity.engine.snapshot import Commit, Snapshot, rows_at
from liqo_connectivity.engine.specialize import Specializer
from liqo_connectivity.engine.store import Table
from liqo_connectivity.engine.syntax import Row
from liqo_connectivity.engine.transaction import Delta, Requests, Transaction
from liqo_connectivity.engine.view import StoredRelation

REBUILD_SHARE: Final = 0.5
"""From which share of changed facts on everything is derived anew instead."""


@dataclass(frozen=True, slots=True)
class RuleCounters:
    """What one rule has cost since the load: lookups, instances found, seconds."""

    rule: int
    probes: int
    instances: int
    seconds: float


class Database(Model):
    """A program, facts, and all that follows from them.

    With ``profiled`` the work of each rule is counted, which makes everything slower.
    """

    def __init__(self, program: Program, *, profiled: bool = False) -> None:
        super().__init__(program, {}, {})
        self._specializer = Specializer(Dataflow.of(program), profiled)
        self._intake = Intake(program.schema)
        self._lock = RLock()
        self._prepared = False
        self._maintenance = Maintenance(self._specializer, {})
        self._place = Commit(0, Delta({}), Delta({}))

    @property
    def version(self) -> int:
        """How many commits there were."""
        return self._place.version

    # ---- Reading ----

    def relation(self, name: str) -> Relation:
        """Give a relation for joins; it is good until the next commit. Raises UnknownRelationError."""
        tables, prefix = self._maintenance.tables, f"{name}["
        projections = {
            tuple(int(column) for column in other[len(prefix) : -1].split(",")): table
            for other, table in tables.items()
            if other.startswith(prefix) and other != f"{prefix}]"
        }
        return StoredRelation(self._table(name), projections)

    def rows(self, name: str) -> list[Row]:
        """List the rows of a relation, sorted by their columns. Raises UnknownRelationError."""
        return sorted(self._table(name).rows)

    def is_fact(self, name: str, row: Row) -> bool:
        """Tell whether a row was given, rather than derived."""
        return name in self.program.schema.relations and row in self._table(name).given

    def snapshot(self) -> Snapshot:
        """Give the relations of now, to be read by any thread at any time."""
        return Snapshot(self.program, self._place, self._rows_at)

    def _rows_at(self, name: str, place: Commit, given: bool) -> dict[Row, int]:
        with self._lock:
            table = self._table(name)
            return rows_at(table.given if given else table.rows, place, name, given)

    def _table(self, name: str) -> Table:
        if name not in self.program.schema.relations:
            raise UnknownRelationError(f"the program declares no relation {name!r}")
        return self._maintenance.tables[name]

    # ---- Writing ----

    def load(self, facts: Facts) -> None:
        """Give exactly these facts, and derive what follows. Raises FactError and EvaluationError, and then nothing changes.

        Garbage collection pauses meanwhile, and later passes over what was loaded: rows are no cycles.
        """
        with self._lock, _no_collection():
            given = {name: self._intake.rows(name, rows) for name, rows in facts.items()}
            self._publish(*self._rebuilt(given))
        gc.freeze()

    def txn(self) -> Transaction:
        """Begin a transaction: ``with database.txn() as tx: tx.insert(relation, row)``; then ``tx.delta``."""
        return Transaction(self._intake, self._commit)

    def what_if(self, inserts: Facts, deletes: Facts) -> Delta:
        """Tell what would change; nothing does. Raises FactError and EvaluationError."""
        requests: Requests = {name: dict.fromkeys(self._intake.rows(name, rows), False) for name, rows in deletes.items()}
        for name, rows in inserts.items():
            requests.setdefault(name, {}).update(dict.fromkeys(self._intake.rows(name, rows), True))
        with self._lock:
            if self._is_large(requests):
                return self._rebuilt(self._requested(requests))[1]

    def _commit(self, requests: Requests) -> Delta:
        with self._lock:
            ...
