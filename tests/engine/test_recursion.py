"""Recursion under change: cycles that must not keep themselves alive, and ranks that stay the least."""

from itertools import pairwise
from random import Random

import pytest

from liqo_connectivity.engine import Program, Row
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import commit, loaded, numbers

EDGES = ".decl e(x: symbol, y: symbol)\n.input e\n.decl r(x: symbol, y: symbol)\nr(X, Y) :- e(X, Y).\n"
SHAPES = {
    "left": EDGES + "r(X, Z) :- r(X, Y), e(Y, Z).",
    "right": EDGES + "r(X, Z) :- e(X, Y), r(Y, Z).",
    "nonlinear": EDGES + "r(X, Z) :- r(X, Y), r(Y, Z).",
    "mutual": EDGES + ".decl s(x: symbol, y: symbol)\ns(X, Z) :- r(X, Y), e(Y, Z).\nr(X, Z) :- s(X, Z).",
    "triple": EDGES + "r(X, Z) :- r(X, Y), e(Y, Z).\nr(X, Z) :- r(X, Y), r(Y, W), r(W, Z).",
}


def cycle(*names: str) -> list[Row]:
    return list(pairwise((*names, names[0])))


def chain_of(names: str) -> list[Row]:
    return list(pairwise(names))


GRAPHS: dict[str, list[Row]] = {
    "a loop": [("a", "a")],
    "two": cycle("a", "b"),
    "three": cycle(*"abc"),
    "four": cycle(*"abcd"),
    "eight": cycle(*"abcdefgh"),
    "two cycles that share a node": cycle(*"abc") + cycle(*"ade"),
    "a cycle with a tail": [("t", "a"), *cycle(*"abc"), ("c", "z")],
    "a ladder": [*zip("abcd", "bcde", strict=True), *zip("abcd", "ceea", strict=True)],
}


def closure(edges: list[Row]) -> set[Row]:
    found = set(edges)
    while True:
        more = {(a, d) for a, b in found for c, d in found if b == c} - found
        if not more:
            return found
        found |= more


def ends_as_loaded(database: Database, edges: list[Row]) -> None:
    fresh = loaded(database.program, {"e": edges})
    assert numbers(database) == numbers(fresh)
    assert not database.check()
    assert set(database.rows("r")) == closure(edges)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_edge_is_cut_and_put_back(shape: str, graph: str) -> None:
    edges = GRAPHS[graph]
    database = loaded(Program.parse({"r.dl": SHAPES[shape]}), {"e": edges})
    for edge in edges:
        commit(database, [("e", edge, False)])
        ends_as_loaded(database, [other for other in edges if other != edge])
        commit(database, [("e", edge, True)])
        ends_as_loaded(database, edges)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_graph_is_taken_apart_edge_by_edge(shape: str, graph: str) -> None:
    edges = list(GRAPHS[graph])
    database = loaded(Program.parse({"r.dl": SHAPES[shape]}), {"e": edges})
    while edges:
        commit(database, [("e", edges.pop(0), False)])
        ends_as_loaded(database, edges)


@pytest.mark.parametrize("shape", SHAPES)
def test_edges_move_in_one_transaction(shape: str) -> None:
    rng = Random(shape)
    names = "abcdefg"
    edges: list[Row] = [(rng.choice(names), rng.choice(names)) for _ in range(9)]
    database = loaded(Program.parse({"r.dl": SHAPES[shape]}), {"e": edges})
    for _ in range(30):
        gone = rng.sample(edges, 3)
        come: list[Row] = [(rng.choice(names), rng.choice(names)) for _ in range(3)]
        commit(database, [("e", edge, False) for edge in gone] + [("e", edge, True) for edge in come])
        edges = [edge for edge in edges if edge not in gone] + come
        ends_as_loaded(database, edges)


def test_a_cycle_does_not_keep_itself_alive() -> None:
    """The last reason from outside goes, and with it all that the cycle seemed to prove."""
    text = """.decl start(x: symbol)
    .decl e(x: symbol, y: symbol)
    .decl on(x: symbol)
    on(X) :- start(X).
    on(Y) :- on(X), e(X, Y)."""
    facts: dict[str, list[Row]] = {"start": [("a",)], "e": [("a", "b"), *cycle(*"bcd")]}
    database = loaded(Program.parse({"on.dl": text}), facts)
    assert commit(database, [("start", ("a",), False)])["on"].removed == (("a",), ("b",), ("c",), ("d",))
    assert not database.rows("on")


def test_a_fact_given_for_a_recursive_relation_stays_when_its_derivation_goes() -> None:
    database = loaded(Program.parse({"r.dl": SHAPES["left"]}), {"e": [("a", "b")], "r": [("a", "b"), ("b", "c")]})
    commit(database, [("e", ("a", "b"), False)])
    assert database.rows("r") == [("a", "b"), ("b", "c")]
    commit(database, [("r", ("a", "b"), False), ("e", ("x", "b"), True)])
    assert database.rows("r") == [("b", "c"), ("x", "b")]
    assert not database.check()


def test_a_rank_is_the_least_height_in_its_component() -> None:
    database = loaded(Program.parse({"r.dl": SHAPES["left"]}), {"e": chain_of("abcdef")})
    assert numbers(database)["r"]["a", "f"] == 5
    commit(database, [("e", ("b", "f"), True)])
    assert numbers(database)["r"]["a", "f"] == 2
    commit(database, [("e", ("b", "f"), False)])
    assert numbers(database)["r"]["a", "f"] == 5


def test_what_rests_on_a_changed_rank_alone_is_not_told() -> None:
    text = SHAPES["left"] + "\n.decl far(x: symbol, y: symbol)\nfar(X, Y) :- r(X, Y), !e(X, Y)."
    database = loaded(Program.parse({"r.dl": text}), {"e": chain_of("abcdef")})
    delta = commit(database, [("e", ("b", "f"), True)])
    assert dict(delta.changes) == {"e": ((), (("b", "f"),)), "far": ((("b", "f"),), ())}


@pytest.mark.slow
def test_a_closure_of_200_000_rows() -> None:
    edges: list[Row] = [(f"n{number // 2}", f"n{number}") for number in range(1, 1500)]
    edges += [(f"m{number}", f"m{number + 1}") for number in range(600)]
    database = loaded(Program.parse({"r.dl": SHAPES["left"]}), {"e": edges})
    before = numbers(database)["r"]
    assert len(before) > 180_000
    middle = ("m300", "m301")
    assert len(commit(database, [("e", middle, False)])["r"].removed) == 301 * 300
    commit(database, [("e", middle, True)])
    assert numbers(database)["r"] == before
    assert not database.check()
