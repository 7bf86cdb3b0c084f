"""The fact base: what an object changes when it comes, changes and goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import Fact, FactBase, ObjectKey, Source
from liqo_connectivity.rules import relations

NAMES = st.sampled_from(["a", "b", "c"])
ROWS = st.one_of(
    st.builds(relations.Pod, NAMES, NAMES),
    st.builds(relations.PodNode, NAMES, NAMES),
    st.builds(relations.ForeignCluster, NAMES),
)
KEYS = st.builds(ObjectKey, st.just("Pod"), NAMES, NAMES)


def fact(row: tuple[str | int, ...], key: ObjectKey, version: str = "1", field: str = "/x") -> Fact:
    return Fact(row, Source(*key, "uid", version), field, "v")


CHANGES = st.lists(st.tuples(KEYS, st.lists(ROWS, max_size=4)), max_size=12)


def contents(base: FactBase) -> set[tuple[str, tuple[str | int, ...]]]:
    return {(relation, row) for relation, rows in base.relations() for row in rows}


def filled(changes: list[tuple[ObjectKey, list[tuple[str | int, ...]]]]) -> FactBase:
    base = FactBase()
    for key, rows in changes:
        base.replace(key, [fact(row, key) for row in rows])
    return base


@given(CHANGES)
def test_the_base_holds_what_the_last_facts_of_every_object_say(
    changes: list[tuple[ObjectKey, list[tuple[str]]]],
) -> None:
    base = filled([(key, list(rows)) for key, rows in changes])
    expected = {(relations.RELATION_NAMES[type(row)], row) for rows in dict(changes).values() for row in rows}
    assert contents(base) == expected
    assert len(base) == sum(base.counts().values()) == len(expected)
    for relation, row in expected:
        assert {found.row for found in base.facts_for(relation, row)} == {row}


@given(CHANGES, KEYS, st.lists(ROWS, max_size=4))
def test_a_delta_is_exactly_what_changed(
    changes: list[tuple[ObjectKey, list[tuple[str]]]], key: ObjectKey, rows: list[tuple[str]]
) -> None:
    base = filled([(other, list(given)) for other, given in changes])
    before = contents(base)
    delta = base.replace(key, [fact(row, key) for row in rows])
    after = contents(base)
    assert set(delta.added) == after - before
    assert set(delta.removed) == before - after
    assert len(set(delta.added)) == len(delta.added)
    assert len(set(delta.removed)) == len(delta.removed)
    assert bool(delta) == (before != after)


@given(CHANGES, st.lists(ROWS, min_size=1, max_size=4))
def test_adding_then_removing_an_object_is_identity(
    changes: list[tuple[ObjectKey, list[tuple[str]]]], rows: list[tuple[str]]
) -> None:
    base = filled([(key, list(given)) for key, given in changes])
    before, facts = contents(base), set(base.facts())
    new = ObjectKey("Pod", "new", "new")
    added = base.replace(new, [fact(row, new) for row in rows])
    removed = base.remove(new)
    assert (set(added.added), added.removed) == (set(removed.removed), ())
    assert contents(base) == before
    assert set(base.facts()) == facts
    assert new not in base.keys()  # noqa: SIM118 - a base is no mapping


def test_a_row_stays_until_its_last_object_goes() -> None:
    base, row = FactBase(), relations.ForeignCluster("milan")
    first, second = ObjectKey("ForeignCluster", "", "a"), ObjectKey("ForeignCluster", "", "b")
    assert base.replace(second, [fact(row, second)]).added == (("foreign_cluster", row),)
    assert not base.replace(first, [fact(row, first)])
    assert [found.source.name for found in base.facts_for("foreign_cluster", row)] == ["a", "b"]
    assert not base.remove(second)
    assert base.remove(first).removed == (("foreign_cluster", row),)
    assert base.facts_for("foreign_cluster", row) == ()


def test_a_new_version_of_an_object_changes_provenance_only() -> None:
    base, row, key = FactBase(), relations.Node("milan"), ObjectKey("Node", "", "milan")
    base.replace(key, [fact(row, key, "1")])
    assert not base.replace(key, [fact(row, key, "2")])
    assert [found.source.resource_version for found in base.facts_for("node", row)] == ["2"]


def test_a_row_that_one_object_asserts_twice_is_one_row_with_two_facts() -> None:
    base, row, key = FactBase(), relations.Node("milan"), ObjectKey("Node", "", "milan")
    delta = base.replace(key, [fact(row, key, field="/b"), fact(row, key, field="/a")])
    assert delta.added == (("node", row),)
    assert [found.field for found in base.facts_for("node", row)] == ["/a", "/b"]
    assert base.remove(key).removed == (("node", row),)


def test_equal_rows_of_two_relations_are_not_confused() -> None:
    base, key = FactBase(), ObjectKey("Pod", "a", "b")
    base.replace(key, [fact(relations.Pod("a", "b"), key), fact(relations.PodNode("a", "b"), key)])
    assert base.replace(key, [fact(relations.Pod("a", "b"), key)]).removed == (("pod_node", ("a", "b")),)
    assert [found.relation for found in base.facts_for("pod", ("a", "b"))] == ["pod"]


def test_an_unknown_object_or_relation() -> None:
    base = FactBase()
    assert not base.remove(ObjectKey("Pod", "a", "b"))
    assert base.facts_of(ObjectKey("Pod", "a", "b")) == ()
    with pytest.raises(KeyError):
        base.rows("no_such_relation")
