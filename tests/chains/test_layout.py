"""The input of chains/: it is the relations of rules/chains.dl, in any order, and nothing else."""

import re
from pathlib import Path

import pytest

from liqo_connectivity.chains import COLUMNS, ChainError, Layout
from tests.support.chain_layouts import layout, relations

BASE = [("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy")]


def test_the_relations_are_those_that_the_rules_declare() -> None:
    rules = Path(__file__).parents[2] / "rules"
    text = "".join((rules / name).read_text(encoding="utf-8") for name in ("chains.dl", "parts.dl"))
    declared = {
        name: tuple(int if column.split(":")[1].strip() == "number" else str for column in columns.split(","))
        for name, columns in re.findall(r"^\.decl (\w+)\((.*)\)", text, re.MULTILINE)
    }
    outputs = re.findall(r"^\.output (\w+)", text, re.MULTILINE)
    assert dict(COLUMNS) == {name: declared[name] for name in outputs}


def test_order_and_repetition_do_not_matter() -> None:
    rows = [("milan", 0, "rule", 0, "drop"), ("milan", 1, "rule", 1, "accept")]
    relation = {name: list(held) for name, held in relations().items()}
    one = Layout.from_relations(relation | {"chain_rule": rows})
    other = Layout.from_relations(relation | {"chain_rule": [*reversed(rows), *rows]})
    assert one == other
    assert one.chain_rule == tuple(rows)


def test_an_absent_relation_is_not_an_empty_one() -> None:
    given = relations()
    del given["chain_any"]
    with pytest.raises(ChainError, match="relation chain_any: absent"):
        Layout.from_relations(given)


def test_other_relations_are_not_looked_at() -> None:
    assert Layout.from_relations(relations() | {"pending": {("milan", None)}}) == layout()


@pytest.mark.parametrize(
    "row",
    [
        ("milan", 0, "rule", 0),
        ("milan", "0", "rule", 0, "drop"),
        ("milan", True, "rule", 0, "drop"),
        ("milan", 0, "rule", 0, None),
        ("milan", 0, "rule", 0, "drop", "drop"),
    ],
)
def test_a_row_of_another_shape_is_refused(row: tuple[object, ...]) -> None:
    with pytest.raises(ChainError, match=r"relation chain_rule: row .* does not have the columns"):
        layout(chain_rule=[row])


def test_by_peering_keeps_each_peering_with_a_base_chain() -> None:
    whole = layout(
        base_chain=[*BASE, ("berlin", "liqo-tenant-berlin", "liqo-tenant-berlin/policy")],
        chain_rule=[("milan", 0, "rule", 0, "drop"), ("pending", 0, "rule", 0, "drop")],
        chain_element=[("berlin", "group", "offloaded", "10.0.0.1")],
    )
    parts = whole.by_peering()
    assert list(parts) == ["berlin", "milan"]
    assert parts["milan"] == layout(base_chain=BASE, chain_rule=[("milan", 0, "rule", 0, "drop")])
    assert parts["berlin"].chain_element == whole.chain_element
