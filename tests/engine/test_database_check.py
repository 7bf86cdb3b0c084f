"""``check`` looks at every row, number and index: of what is whole it says nothing, and whatever is damaged, it says so."""

from collections.abc import Callable

import pytest

from liqo_connectivity.engine import Program
from liqo_connectivity.engine.storage.tables import Index, Table
from tests.support.churn import loaded

TEXT = """.decl e(x: symbol, y: symbol)
.decl r(x: symbol, y: symbol)
r(X, Y) :- e(X, Y).
r(X, Z) :- r(X, Y), e(Y, Z).
.decl two(x: symbol)
two(X) :- e(X, Y), e(X, Z), Y < Z.
"""
A, B, C = ("a", "b"), ("a", "c"), ("b", "c")


def index(table: Table) -> Index:
    """Give the index on the first column: a bucket of two for ``a``, and a bare row for ``b``."""
    found = table.index((0,))
    assert found == {"a": {A: None, B: None}, "b": C}
    return found


DAMAGES: dict[str, Callable[[dict[str, Table]], object]] = {
    "a row is not in its index": lambda tables: index(tables["e"]).pop("b"),
    "a row is not in its bucket": lambda tables: index(tables["e"]).update(a=A),
    "an index has a row that is gone": lambda tables: index(tables["e"]).update(z=("z", "z")),
    "a bucket has a row that is gone": lambda tables: index(tables["e"]).update(b={C: None, ("b", "z"): None}),
    "a bucket is empty": lambda tables: index(tables["e"]).update(z={}),
    "a bucket of one is a dictionary": lambda tables: index(tables["e"]).update(b={C: None}),
    "a row stands under another key": lambda tables: index(tables["e"]).update(b=A),
    "a row has no index": lambda tables: (index(tables["e"]), tables["e"].rows.update({("z", "z"): 1})),
    "a count is wrong": lambda tables: tables["two"].rows.update({("a",): 2}),
    "a rank is wrong": lambda tables: tables["r"].rows.update({A: 2}),
    "a derived row is missing": lambda tables: tables["two"].rows.clear(),
    "a derived row is too many": lambda tables: tables["two"].rows.update({("b",): 1}),
    "a change was not settled": lambda tables: tables["two"].changes.update({("a",): 1}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_reported(damage: str) -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), {"e": [A, B, C]})
    index(database._maintenance.tables["e"])
    assert database.check() == []
    DAMAGES[damage](database._maintenance.tables)
    assert database.check() != []
