"""The facts of the cluster and what the rules derive from them, brought up to date one batch at a time.

A batch is one transaction of the database, however many objects it changes. An object whose facts cannot be evaluated
becomes unreadable by itself and keeps no other from being evaluated.
"""

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Final

from liqo_connectivity.engine import Database, Delta, EvaluationError, FactError, Program, Row
from liqo_connectivity.facts import FactBase, ObjectKey
from liqo_connectivity.operator.controller.objects.asserted_facts import Facts, not_evaluated


class FactDatabase:
    """The facts by object, and the relations ``goals`` that rules derive from them. ``given`` are facts of no object.

    One thread commits and reads what is derived; any thread may ask for ``facts`` and ``facts_of``. ``number`` grows with
    every batch that changed a fact.
    """

    def __init__(self, program: Program, goals: Sequence[str], given: Facts) -> None:
        self.number = 0
        self._goals: Final = tuple(goals)
        self._base = FactBase()
        self._database = Database(program.slice(goals))
        self._loaded = False
        # Held for a whole batch: who takes all facts waits until they are those of one state.
        self._batch = Lock()
        # Held while the base changes, which is short: a reflector need not wait for the evaluation. Within ``_batch``.
        self._lookup = Lock()
        self._base.replace(given[0].source.key, given)

    # ---- Changing ----

    def commit(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        """Replace the facts of some objects; what that changed. The first batch has to be the whole cluster."""
        with self._batch:
            return self._commit(asserted)

    def _commit(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        if not self._loaded:
            return self._load(asserted)
        before = {key: self._base.facts_of(key) for key in asserted}
        try:
            return self._transact(asserted)
        except (EvaluationError, FactError) as error:
            with self._lookup:
                for key, facts in before.items():
                    self._base.replace(key, facts)
            return self._commit_parts(asserted, error)

    def _load(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        with self._lookup:
            for key, facts in asserted.items():
                self._base.replace(key, facts)
        self._loaded = True
        try:
            self._database.load(dict(self._base.relations()))
            delta = self._everything()
        except (EvaluationError, FactError) as error:
            with self._lookup:
                for key in asserted:
                    self._base.remove(key)
            self._database.load(dict(self._base.relations()))
            self._commit_parts(asserted, error)
            delta = self._everything()
        self._database.prepare()
        self.number += 1
        return delta

    def _everything(self) -> Delta:
        return Delta.of((name, (), self._database.rows(name)) for name in self._goals)

    def _transact(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        netted: dict[tuple[str, Row], bool] = {}
        with self._lookup:
            for key, facts in asserted.items():
                changed = self._base.replace(key, facts)
                for change in changed.removed:
                    netted[change] = False
                for change in changed.added:
                    netted[change] = True
        if not netted:
            return Delta({})
        with self._database.txn() as transaction:
            for (relation, row), present in netted.items():
                if present:
                    transaction.insert(relation, row)
                else:
                    transaction.delete(relation, row)
        self.number += 1
        return transaction.delta

    def _commit_parts(self, asserted: Mapping[ObjectKey, Facts], error: Exception) -> Delta:
        """Commit what can be committed, half by half; an object that cannot be by itself becomes unreadable."""
        keys = sorted(asserted)
        if len(keys) == 1:
            ((key, facts),) = asserted.items()
            return self._transact({key: (not_evaluated(key, facts, error),)})
        half = len(keys) // 2
        total: dict[tuple[str, Row], int] = {}
        for part in (keys[:half], keys[half:]):
            delta = self._commit({key: asserted[key] for key in part})
            for name, (removed, added) in delta.changes.items():
                for row in removed:
                    total[name, row] = total.get((name, row), 0) - 1
                for row in added:
                    total[name, row] = total.get((name, row), 0) + 1
        changes = [(name, [row], ()) if sign < 0 else (name, (), [row]) for (name, row), sign in total.items() if sign]
        return _merged(changes)

    # ---- Reading ----

    def rows(self, relation: str) -> list[Row]:
        """The tuples of one of the goals, sorted."""
        return self._database.rows(relation)

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many facts, and how many tuples, each relation has."""
        return self._base.counts(), {name: self._database.count(name) for name in self._goals}

    def facts_of(self, key: ObjectKey) -> Facts:
        """The facts of an object; for any thread."""
        with self._lookup:
            return self._base.facts_of(key)

    def facts(self) -> tuple[int, Facts]:
        """The number of the state and every fact of it, in no order; for any thread."""
        with self._batch:
            return self.number, tuple(self._base.facts())


def _merged(changes: Iterable[tuple[str, Iterable[Row], Iterable[Row]]]) -> Delta:
    removed: dict[str, list[Row]] = {}
    added: dict[str, list[Row]] = {}
    for name, left, came in changes:
        removed.setdefault(name, []).extend(left)
        added.setdefault(name, []).extend(came)
    return Delta.of((name, removed[name], added[name]) for name in removed)
