"""The fact base: which object asserts which rows, and which rows change when an object does.

It is keyed by object, because a cluster reports its changes by object.
"""

from collections.abc import Iterable, Iterator, KeysView
from itertools import chain
from typing import NamedTuple

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Row
from liqo_connectivity.rules.relations import RELATION_NAMES

AssertedRow = tuple[str, Row]
"""The name of a relation and one of its rows."""


class FactChange(NamedTuple):
    """The rows that left a fact base and those that came. No row is in both, and none is repeated."""

    removed: tuple[AssertedRow, ...] = ()
    added: tuple[AssertedRow, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


class FactBase:
    """A mutable set of facts, by object.

    A row that several objects assert is present until the last of them withdraws it. Costs are linear in the facts of
    the object that changes. Not safe for use by several threads at once.
    """

    __slots__ = ("_facts", "_owners")

    def __init__(self) -> None:
        self._facts: dict[ObjectKey, tuple[Fact, ...]] = {}
        self._owners: dict[str, dict[Row, tuple[ObjectKey, ...]]] = {name: {} for name in RELATION_NAMES.values()}

    def replace(self, key: ObjectKey, facts: Iterable[Fact]) -> FactChange:
        """Replace the facts of an object; an empty replacement removes the object."""
        new = tuple(facts)
        old = self._facts.get(key)
        if old is None:
            if new:
                self._facts[key] = new
            return FactChange(added=tuple(self._assert(key, _rows(new))))
        if new:
            self._facts[key] = new
        else:
            del self._facts[key]
        before = _rows(old)
        after = _rows(new)
        removed = tuple(self._withdraw(key, [row for row in before if row not in after]))
        added = tuple(self._assert(key, [row for row in after if row not in before]))
        return FactChange(removed, added)

    def remove(self, key: ObjectKey) -> FactChange:
        """Remove an object with all its facts. An unknown object changes nothing."""
        return self.replace(key, ())

    def rows(self, relation: str) -> KeysView[Row]:
        """The rows of a relation: a live view, unordered. Raises KeyError for an undeclared relation."""
        return self._owners[relation].keys()

    def relations(self) -> Iterator[tuple[str, KeysView[Row]]]:
        """Every declared relation in the order of its declaration, with its rows."""
        for relation, owners in self._owners.items():
            yield relation, owners.keys()

    def facts_for(self, relation: str, row: Row) -> tuple[Fact, ...]:
        """All facts that assert a row, ordered by source and field; empty when the row is absent."""
        found = [
            fact
            for key in self._owners[relation].get(row, ())
            for fact in self._facts[key]
            if fact.row == row and fact.relation == relation
        ]
        return tuple(sorted(found, key=lambda fact: (fact.source, fact.field)))

    def facts_of(self, key: ObjectKey) -> tuple[Fact, ...]:
        """The facts of an object, in the order they were given; empty for an unknown object."""
        return self._facts.get(key, ())

    def keys(self) -> KeysView[ObjectKey]:
        """The objects that assert facts: a live view, unordered."""
        return self._facts.keys()

    def facts(self) -> Iterator[Fact]:
        """Every fact, unordered."""
        return chain.from_iterable(self._facts.values())

    def counts(self) -> dict[str, int]:
        """How many rows every declared relation has."""
        return {relation: len(owners) for relation, owners in self._owners.items()}

    def __len__(self) -> int:
        """How many rows all relations have together."""
        return sum(map(len, self._owners.values()))

    def _assert(self, key: ObjectKey, changes: Iterable[AssertedRow]) -> list[AssertedRow]:
        owner = (key,)
        added: list[AssertedRow] = []
        for change in changes:
            relation, row = change
            owners = self._owners[relation]
            others = owners.get(row)
            if others is None:
                owners[row] = owner
                added.append(change)
            else:
                owners[row] = others + owner
        return added

    def _withdraw(self, key: ObjectKey, changes: Iterable[AssertedRow]) -> list[AssertedRow]:
        removed: list[AssertedRow] = []
        for change in changes:
            relation, row = change
            owners = self._owners[relation]
            rest = tuple(other for other in owners[row] if other != key)
            if rest:
                owners[row] = rest
            else:
                del owners[row]
                removed.append(change)
        return removed


def _rows(facts: tuple[Fact, ...]) -> dict[AssertedRow, None]:
    """The distinct rows of facts in their order, as a dict because a set has none."""
    return {(RELATION_NAMES[type(fact.row)], fact.row): None for fact in facts}
