"""The database: facts and everything derived from them, kept up to date at a cost proportional to each change.

Callers need only this object: load, transactions, what-if, snapshots, plans and counters. A ``Database`` is a
``Model``. One thread writes; others read snapshots. It explains nothing: ``proofs.explainer`` reads the model.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from threading import RLock
from typing import Final, NamedTuple

from liqo_connectivity.engine.codegen.specialization import Specializer
from liqo_connectivity.engine.incremental.limits import Limits
from liqo_connectivity.engine.incremental.maintenance import Maintenance
from liqo_connectivity.engine.incremental.propagation import ChangeLog
from liqo_connectivity.engine.incremental.snapshots import Commit, table_at
from liqo_connectivity.engine.incremental.transactions import Delta, Requests, Transaction, apply, requested, take_back
from liqo_connectivity.engine.plan.aggregate_rewriting import GENERATED
from liqo_connectivity.engine.plan.join_steps import delta_steps, full_steps
from liqo_connectivity.engine.plan.occurrences import Dataflow
from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.storage.fact_check import FactCheck, Facts
from liqo_connectivity.engine.storage.model import FixedModel, TableModel
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.arithmetic import EvaluationError
from liqo_connectivity.engine.syntax.nodes import Atom, Negation, Row
from liqo_connectivity.engine.syntax.printer import format_body, format_rule

SMALL: Final = 1000
"""A transaction of fewer requests is propagated without checking whether a rebuild is cheaper."""
FOLLOWED: Final = 1.1
"""The cost of propagating one changed fact, if rebuilding from one fact costs 1. The cheaper way is taken.

Measured by ``python -m benchmarks.rebuild`` with both of its programs and 20,000 pods, a share of which one transaction
deletes and another inserts again. Propagating a deletion costs more than a rebuild from a share of 0.52 (policy) or
0.62 (synthetic); propagating an insertion costs less at every share below 1 (CPython 3.11). ``FOLLOWED * share``
reaches the facts left by a deletion at 0.48, and those present after an insertion at 0.91: earlier than measured,
because recursion makes propagation dearer.
"""


class RuleCounters(NamedTuple):
    """The cost of one rule since the load: lookups, instances found, seconds."""

    rule: int
    probes: int
    instances: int
    seconds: float


class Database(TableModel):
    """A program, its facts, and everything derived from them. Raises FactError, EvaluationError and LimitError.

    Without ``facts`` it holds nothing, not even the facts of the program's text, until the first load or transaction: a
    recursion may end only because of facts. ``profiled`` counts the work of each rule, which slows everything down.
    ``limits`` hold for each load, transaction and what-if.
    """

    ranked = True

    def __init__(
        self, program: Program, facts: Facts | None = None, *, profiled: bool = False, limits: Limits | None = None
    ) -> None:
        self._specializer = Specializer(Dataflow.of(program), profiled, limits is not None)
        self._limits = limits
        self._fact_check = FactCheck(program.schema)
        self._lock = RLock()
        self._prepared = False
        self._is_loaded = facts is not None
        self._maintenance = Maintenance(self._specializer, {}) if facts is None else self._derive(self._checked(facts))
        super().__init__(program, self._maintenance.tables)
        self._place = Commit(0, Delta({}), Delta({}))

    @property
    def version(self) -> int:
        """The number of commits so far."""
        return self._place.version

    def snapshot(self) -> FixedModel:
        """Return the relations as they are now, readable by any thread at any time."""
        place = self._place
        return FixedModel(self.program, lambda name: self._table_at(name, place), place.version)

    def _table_at(self, name: str, place: Commit) -> Table:
        with self._lock:
            return table_at(place, self.tables, name)

    # ---- Writing ----

    def load(self, facts: Facts) -> None:
        """Replace all facts and derive everything. Raises FactError, EvaluationError and LimitError, and then changes nothing.

        Garbage collection pauses during the load. Rows form no cycles: a process that keeps one large database can call
        ``gc.freeze()`` after it, so that the collector never scans the rows.
        """
        given = self._checked(facts)
        with self._lock:
            self._replace(self._derive(given), Delta({}))

    def _checked(self, facts: Facts) -> dict[str, dict[Row, int]]:
        return {name: self._fact_check.rows(name, rows) for name, rows in facts.items()}

    def prepare(self) -> None:
        """Make now the functions and indexes that the first change of an input relation makes; they take memory."""
        with self._lock:
            if self._is_loaded:
                self._maintenance.prepare()
            self._prepared = True

    def txn(self) -> Transaction:
        """Begin a transaction: ``with database.txn() as tx: tx.insert(relation, row)``; then ``tx.delta``.

        Leaving the block commits. EvaluationError and LimitError, like any other exception, leave everything unchanged.
        """
        return Transaction(self._fact_check, self._commit)

    def what_if(self, inserts: Facts, deletes: Facts) -> Delta:
        """Return what a transaction would change, without committing it. Raises like a transaction."""
        transaction = self.txn()
        for name, rows in deletes.items():
            for row in rows:
                transaction.delete(name, row)
        for name, rows in inserts.items():
            for row in rows:
                transaction.insert(name, row)
        return self._try(transaction.requests)

    def _try(self, requests: Requests) -> Delta:
        with self._lock:
            log = ChangeLog()
            try:
                if self._is_large(requests):
                    return self._would_change(requests)
                apply(self._maintenance, requests, log)
                return self._next(log).delta
            except EvaluationError:
                take_back(self._maintenance, log)
                log = ChangeLog()
                return self._would_change(requests)
            finally:
                take_back(self._maintenance, log)

    def _commit(self, requests: Requests) -> Delta:
        with self._lock:
            if self._is_large(requests):
                return self._rebuild(requests)
            log = ChangeLog()
            try:
                apply(self._maintenance, requests, log)
                place = self._next(log)
                # The commit point: one statement, the last of the block, so that nothing fails after it.
                self._place.next = self._place = place
            except EvaluationError:
                # Relations change one by one: in between, a rule may read rows that never exist together afterwards.
                take_back(self._maintenance, log)
                return self._rebuild(requests)
            except BaseException:
                take_back(self._maintenance, log)
                raise
            return place.delta

    def _next(self, log: ChangeLog) -> Commit:
        public = self.program.schema.relations
        delta = Delta.of((table.name, left, came) for table, left, came in log.applied if table.name in public)
        given = Delta.of((table.name, left, came) for table, left, came in log.given)
        return Commit(self.version + 1, delta, given)

    def _is_large(self, requests: Requests) -> bool:
        if not self._is_loaded:
            return True
        asked = sum(map(len, requests.values()))
        if asked < SMALL:
            return False
        coming = sum(sum(rows.values()) for rows in requests.values())
        given = sum(len(table.given) for table in self.tables.values())
        return FOLLOWED * asked > given + coming - (asked - coming)

    def _rebuild(self, requests: Requests) -> Delta:
        maintenance = self._derive(requested(self._maintenance, requests))
        delta = self._difference(maintenance)
        self._replace(maintenance, delta)
        return delta

    def _derive(self, given: dict[str, dict[Row, int]]) -> Maintenance:
        """Derive everything into new tables, beside the current ones."""
        with _no_collection():
            maintenance = Maintenance(self._specializer, given, self._limits)
            maintenance.load()
            if self._prepared:
                maintenance.prepare()
            return maintenance

    def _would_change(self, requests: Requests) -> Delta:
        maintenance = self._derive(requested(self._maintenance, requests))
        delta = self._difference(maintenance)
        maintenance.release()
        return delta

    def _difference(self, new: Maintenance) -> Delta:
        pairs = [(self.tables[name].rows, new.tables[name].rows) for name in self.program.schema.relations]
        names = self.program.schema.relations
        changes = ((old.keys() - new.keys(), new.keys() - old.keys()) for old, new in pairs)
        return Delta.of((name, *change) for name, change in zip(names, changes, strict=True))

    def _replace(self, maintenance: Maintenance, delta: Delta) -> None:
        old = self._maintenance
        place, self._place.left = Commit(self.version + 1, delta, Delta({})), old.tables
        self._place, self._maintenance, self.tables = place, maintenance, maintenance.tables
        self._is_loaded = True
        old.release()

    # ---- Looking inside ----

    def check(self) -> list[str]:
        """List each index, count and rank that differs from a fresh load; empty if none does."""
        with self._lock:
            tables = self.tables
            found = [problem for table in tables.values() for problem in table.problems()]
            given = {name: dict(table.given) for name, table in tables.items() if table.given}
            if not self._is_loaded:
                return found
            fresh = Maintenance(self._specializer, given, self._limits)
            fresh.load()
            for name, table in tables.items():
                if table.rows != fresh.tables[name].rows:
                    found.append(f"{name} is not what its rules derive")
            fresh.release()
            return found

    def counters(self) -> list[RuleCounters]:
        """List the cost of each rule since the last load, by rule number; empty unless ``profiled``."""
        counters = sorted(self._maintenance.counters.items())
        return [RuleCounters(rule, int(p), int(i), s) for rule, (p, i, s) in counters if rule != GENERATED]

    def explain_plan(self, number: int) -> str:
        """Describe how a rule is joined: on load, and on a change of each of its atoms. Raises ValueError."""
        found = [rule for c in self._specializer.flow.components for rule in c.rules if rule.number == number]
        if number < 0 or not found:
            raise ValueError(
                f"the program has no rule {number}: they are counted from 0 to {len(self.program.rules) - 1}"
            )
        lines, small = list[str](), self._specializer.flow.small
        for rule in found:
            plans = [("at load", full_steps(rule))]
            for position, item in enumerate(rule.body):
                if isinstance(item, Atom | Negation):
                    plans.append((f"when {format_body(item)} changes", delta_steps(rule, position, small=small)))
            lines.append(format_rule(rule))
            for title, steps in plans:
                lines += [f"{title}:", *(f"  {step}" for step in steps)]
        return "\n".join(lines)


@contextmanager
def _no_collection() -> Generator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def evaluate(program: Program, facts: Facts, limits: Limits | None = None) -> Database:
    """Derive everything from some facts. Raises FactError, EvaluationError and LimitError."""
    return Database(program, facts, limits=limits)
