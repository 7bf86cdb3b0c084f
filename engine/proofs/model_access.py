"""How backward joins read a model: rows, indexes, ranks, and how many rows a lookup can be expected to give.

Either of a model whose relations never change, or of the tables of a database: they stay the same objects while their
rows come and go, so that what is bound to them is good until everything is derived anew. This module must not know
what is joined.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, Protocol, cast
from weakref import proxy

from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.rounds import derive_in_rounds
from liqo_connectivity.engine.storage.relation import Relation
from liqo_connectivity.engine.storage.stored_relation import finder
from liqo_connectivity.engine.storage.tables import Bucket, Table, key_reader
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import Row

Ranks = Mapping[str, Mapping[Row, int]]
"""The ranks of a recursive component's rows, by relation; see ``recursion``."""
Find = Callable[[object], Bucket | Iterable[Row] | None]
"""Gives the rows of a key: one bare, several, or ``None``."""
_SAMPLE: Final = 500
"""How many rows are looked at to guess what a lookup gives: the cost of a plan, never a result, depends on it."""


class Access(Protocol):
    """What a join needs. A name with brackets is a projection: ``p[0,2]`` holds two columns of ``p``."""

    def rows(self, name: str) -> Collection[Row]:
        """Give the rows of a relation or projection, to be tested, counted, and of a relation listed."""
        ...

    def find(self, name: str, columns: tuple[int, ...]) -> Find:
        """Give a function that finds the rows with some values in some columns."""
        ...

    def given(self, name: str) -> Collection[Row]:
        """Give the rows that were given, rather than derived."""
        ...

    def ranks(self, component: Component) -> Ranks:
        """Give the rank of each row of a recursive component."""
        ...

    def fan_out(self, name: str, columns: tuple[int, ...]) -> float:
        """Guess how many rows a lookup gives."""
        ...

    def size(self) -> int:
        """Count all rows; 0 if they never change."""
        ...


class Relations(Protocol):
    """What a model offers."""

    def relation(self, name: str) -> Relation:
        """Give a relation for joins."""
        ...

    def given(self, name: str) -> Collection[Row]:
        """Give the rows of a relation that were given, rather than derived."""
        ...


class TableAccess:
    """Access to the tables of a database."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def rows(self, name: str) -> Collection[Row]:
        return self._tables[name].rows

    def find(self, name: str, columns: tuple[int, ...]) -> Find:
        return finder(self._tables[name], columns)

    def given(self, name: str) -> Collection[Row]:
        return self._tables[name].given

    def ranks(self, component: Component) -> Ranks:
        return {name: self._tables[name].rows for name in component.relations}

    def fan_out(self, name: str, columns: tuple[int, ...]) -> float:
        table = self._tables[name]
        # What is there already is better than an index more.
        return _fan_out(table.rows, columns) + (columns not in table.indexes) / 2

    def size(self) -> int:
        return sum([len(table.rows) for table in self._tables.values()])


class RelationAccess:
    """Access to the relations of a model that does not change.

    ``model`` is held weakly, since it keeps this; ranks are computed by deriving a component once more.
    """

    def __init__(self, model: "Relations", functors: Mapping[str, Functor]) -> None:
        self._model: Relations = proxy(model)
        self._functors = functors

    def rows(self, name: str) -> Collection[Row]:
        relation, bracket, columns = name.partition("[")
        if bracket:
            found = self._model.relation(relation)
            return _Projection(found, tuple(map(int, filter(None, columns[:-1].split(",")))))
        return self._model.relation(name).view()

    def find(self, name: str, columns: tuple[int, ...]) -> Find:
        return self._model.relation(name).index(columns).get

    def given(self, name: str) -> Collection[Row]:
        return self._model.given(name)

    def ranks(self, component: Component) -> Ranks:
        relations = _Lower(self._model)
        relations.update({name: Relation(self._model.given(name)) for name in component.relations})
        return derive_in_rounds(component, relations, self._functors)

    def fan_out(self, name: str, columns: tuple[int, ...]) -> float:
        return _fan_out(self._model.relation(name), columns)

    def size(self) -> int:
        return 0


def listed(found: Bucket | Iterable[Row] | None) -> Iterable[Row]:
    """List the rows that a lookup found."""
    if found is None:
        return ()
    return (cast("Row", found),) if type(found) is tuple else cast("Iterable[Row]", found)


class _Lower(dict[str, Relation]):
    """The relations of a model, when asked for."""

    def __init__(self, model: Relations) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, name: str) -> Relation:
        return self._model.relation(name)


class _Projection(Collection[Row]):
    """Some columns of a relation, as the rows of another; one that has none holds the empty row if anything does."""

    def __init__(self, relation: Relation, columns: tuple[int, ...]) -> None:
        self._relation = relation
        self._index = relation.index(columns) if columns else {}
        self._columns = columns

    def __len__(self) -> int:
        return len(self._index) if self._columns else min(1, len(self._relation))

    def __iter__(self) -> Iterator[Row]:
        keys = self._index if self._columns else [()] * len(self)
        return iter(cast("Iterable[Row]", [(key,) for key in keys] if len(self._columns) == 1 else keys))

    def __contains__(self, row: object) -> bool:
        if not self._columns:
            return bool(self._relation)
        return (cast("Row", row)[0] if len(self._columns) == 1 else row) in self._index


def _fan_out(rows: Collection[Row], columns: tuple[int, ...]) -> float:
    """Guess from a sample how many rows share the key of a row, itself included."""
    if not columns or not rows:
        return len(rows)
    sample = Counter(map(key_reader(columns), islice(rows, _SAMPLE)))
    taken = sample.total()
    alike = sum(count * (count - 1) for count in sample.values())
    return 1 + (len(rows) - 1) * alike / max(1, taken * (taken - 1))
