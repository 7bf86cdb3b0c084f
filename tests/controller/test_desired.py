"""What the controller wants stored is what ``render`` writes for a dump of the same state, byte for byte."""

import json
from dataclasses import replace
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any

import pytest

from liqo_connectivity import chains
from liqo_connectivity.chains import ChainError
from liqo_connectivity.engine.incremental.transactions import Delta
from liqo_connectivity.facts import ObjectKey, kind_of
from liqo_connectivity.facts.base.fact_base import FactBase
from liqo_connectivity.facts.dumps.dump import write_jsonl
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, Observed, digest
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall, DesiredFirewalls
from liqo_connectivity.operator.controller.state.state import State
from tests.support import recordings
from tests.support.clusters import RENDERED, base_of, facts_of, program, solve, tables
from tests.support.descriptions import Cluster, Party, Pod, Rule
from tests.support.go_json import omit_empty
from tests.support.large_clusters import large
from tests.support.manifests import Object, objects
from tests.support.random_clusters import cluster

Batch = dict[tuple[str, ObjectKey], Observed | None]


def batch_of(found: list[Object]) -> Batch:
    """What watches would tell of some objects."""
    read = [one for one in found if kind_of(one["apiVersion"], one["kind"]) is not None]
    return {("any", key): Observed(facts) for key, facts in map(facts_of, read)}


def state_of(found: list[Object]) -> State:
    state = State(program())
    state.apply(batch_of(found))
    return state


def wanted(state: State) -> list[DesiredFirewall]:
    return [state.desired.firewall(peering) for peering in state.desired.peerings()]


def base_of_state(state: State) -> FactBase:
    base = FactBase()
    for fact in state.facts()[1]:
        base.replace(fact.source.key, (*base.facts_of(fact.source.key), fact))
    return base


def rendered(state: State, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``render -o json`` prints for a dump of the state."""
    write_jsonl(base_of_state(state), folder / "facts.jsonl")
    run(["render", "-f", str(folder / "facts.jsonl"), "-o", "json"])
    return capsys.readouterr().out


def written(found: list[DesiredFirewall]) -> str:
    items = [one.body for one in found]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


@pytest.mark.parametrize("seed", range(20))
def test_random_clusters_are_desired_as_they_are_laid_out_from_scratch(seed: int) -> None:
    state = state_of(objects(cluster(Random(seed))))
    made: list[chains.FirewallConfiguration] = [one.body for one in wanted(state)]
    fresh = tables(solve(base_of_state(state), RENDERED))
    assert made == [chains.firewall_object(table) for table in fresh]


@pytest.mark.parametrize("seed", [3, 8])
def test_random_clusters_are_wanted_as_they_are_rendered(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described: Cluster = cluster(Random(seed))
    state = state_of(objects(described))
    assert written(wanted(state)) == rendered(state, tmp_path, capsys)


@pytest.mark.parametrize("name", ["rome-2", "rome-4"])
def test_recorded_clusters_are_wanted_as_they_are_rendered(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = recorded(name)
    made = wanted(state)
    assert made
    assert written(made) == rendered(state, tmp_path, capsys)


def crd() -> list[Object]:
    """The definition of FirewallConfiguration with all fields, as the random clusters have it."""
    return objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))


def recorded(name: str) -> State:
    """A recorded cluster whose Liqo can enforce chains."""
    found = [one for one in recordings.objects_of(name) if one["kind"] != "CustomResourceDefinition"]
    return state_of([*found, *recordings.policies_of(name), *crd()])


def test_a_wanted_object_says_what_it_is() -> None:
    for one in wanted(recorded("rome-4")):
        assert one.key == ObjectKey(FIREWALL, one.body["metadata"]["namespace"], one.body["metadata"]["name"])
        assert one.digest == digest(json.loads(json.dumps(one.body["spec"])))
        sets = one.body["spec"]["table"]["sets"]
        assert one.counts.members == len({each["key"] for held in sets for each in held["elements"]})
        names = [rule["name"] for rule in one.body["spec"]["table"]["chains"][0]["rules"]["filterRules"]]
        assert one.counts.rules >= len({name.split("-")[2] for name in names if "-rule-" in name}) > 0


def test_a_digest_knows_the_order_of_lists_but_not_of_fields() -> None:
    assert digest({"a": [1, 2], "b": {"c": 1, "d": 2}}) == digest({"b": {"d": 2, "c": 1}, "a": [1, 2]})
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})


EMPTY: list[object] = [[], {}, None]


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize(
    "path", ["", "sets", "sets/0/elements", "chains", "chains/0/rules", "chains/0/rules/filterRules"]
)
def test_a_field_left_out_equals_an_empty_one(path: str, empty: object) -> None:
    """A program in Go leaves empty fields out when it writes an object back."""

    def table() -> Object:
        rules = {"filterRules": [{"name": "r0", "match": []}, {"name": "r1", "match": [{"op": "eq"}]}]}
        held = [{"name": "a", "elements": [{"key": "10.0.0.1"}]}, {"name": "b", "elements": []}]
        return {"table": {"name": "t", "sets": held, "chains": [{"name": "c", "rules": rules}]}}

    one, other = table(), table()
    steps: list[Any] = [int(step) if step.isdecimal() else step for step in f"table/{path}".strip("/").split("/")]
    for spec, value in ((one, empty), (other, ...)):
        *before, last = steps
        place: Any = reduce(lambda found, step: found[step], before, spec)
        if value is ...:
            del place[last]
        else:
            place[last] = value
    assert digest(one) == digest(other) != digest(table())
    without = json.loads(json.dumps(table()), object_hook=omit_empty)
    assert "elements" not in without["table"]["sets"][1]
    assert digest(without) == digest(table())


def test_an_item_left_out_of_a_list_is_a_difference() -> None:
    assert digest({"a": [{}]}) != digest({"a": []}) == digest({})
    assert digest({"a": [{}, {"b": 1}]}) != digest({"a": [{"b": 1}, {}]})
    assert digest({"a": ""}) != digest({}) != digest({"a": False})


def elements_digest(*elements: object) -> str:
    return digest({"table": {"name": "t", "sets": [{"name": "s", "elements": list(elements)}]}})


def test_no_two_sets_have_one_digest() -> None:
    odd: list[list[object]] = [
        [],
        [{"key": "a"}],
        [{"key": "a"}, {"key": "b"}],
        [{"key": "b"}, {"key": "a"}],
        [{"key": "a\nb"}],
        [{"key": "a\nb"}, {"key": "c"}],
        [{"key": "a"}, {"key": "b\nc"}],
        [{"key": "a", "data": "b"}],
        [{"key": "a", "data": "b"}, {}],
        [{"key": ["a"]}],
        [{"data": "a"}],
        [{"key": None}],
        ["key"],
        [[]],
        [7],
    ]
    assert len({elements_digest(*elements) for elements in odd}) == len(odd)
    assert digest({"table": {"sets": "none"}}) != digest({"table": {"sets": 7}})


BASE = [
    ("base_chain", ("milan", "liqo-tenant-milan", "liqo-tenant-milan/guard")),
    ("chain_rule", ("milan", 2, "rule", 0, "drop")),
    ("chain_set", ("milan", 2, "source", "namespace", "shop")),
    ("chain_any", ("milan", 2, "destination")),
]


def elements(*addresses: str) -> tuple[tuple[str, ...], ...]:
    return tuple(("milan", "namespace", "shop", address) for address in addresses)


def delta(removed: tuple[str, ...] = (), added: tuple[str, ...] = ()) -> Delta:
    return Delta.of([("chain_element", elements(*removed), elements(*added))])


def based() -> DesiredFirewalls:
    layouts = DesiredFirewalls()
    layouts.follow(Delta.of((name, (), (row,)) for name, row in BASE))
    return layouts


def keys(layouts: DesiredFirewalls) -> list[str]:
    sets = layouts.firewall("milan").body["spec"]["table"]["sets"]
    return [each["key"] for held in sets for each in held["elements"]]


def test_elements_come_and_go_in_numeric_order() -> None:
    layouts = based()
    assert layouts.follow(delta(added=("10.0.0.9", "10.0.0.10", "9.0.0.1"))) == {"milan": 3}
    assert keys(layouts) == ["9.0.0.1", "10.0.0.9", "10.0.0.10"]
    assert layouts.follow(delta(removed=("10.0.0.9",), added=("10.0.0.8",))) == {"milan": 1}
    assert keys(layouts) == ["9.0.0.1", "10.0.0.8", "10.0.0.10"]
    assert layouts.follow(Delta({})) == {}


def test_what_cannot_be_written_is_an_error_until_it_is_gone() -> None:
    layouts = based()
    layouts.follow(delta(added=("10.0.0.1", "fd00::1")))
    with pytest.raises(ChainError, match="fd00::1"):
        layouts.firewall("milan")
    layouts.follow(delta(removed=("fd00::1",)))
    assert keys(layouts) == ["10.0.0.1"]


def test_a_peering_without_a_chain_is_not_wanted() -> None:
    layouts = based()
    assert layouts.peerings() == ["milan"]
    layouts.follow(Delta.of((name, (row,), ()) for name, row in BASE))
    assert layouts.peerings() == []
    with pytest.raises(ChainError):
        layouts.firewall("milan")


@pytest.mark.parametrize("seed", range(5))
def test_following_elements_is_as_laying_them_out_from_scratch(seed: int) -> None:
    rng, layouts, held = Random(seed), based(), set[str]()
    pool = [f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}" for _ in range(60)]
    for _ in range(40):
        batch = set(rng.sample(pool, 5))
        removed, added = batch & held, batch - held
        held = (held - removed) | added
        layouts.follow(delta(tuple(removed), tuple(added)))
        rows = {name: [row for other, row in BASE if other == name] for name in chains.COLUMNS}
        rows["chain_element"] = list(elements(*held))
        (table,) = chains.assemble(chains.Layout.from_relations(rows))
        assert layouts.firewall("milan").body == chains.firewall_object(table)


def test_a_policy_goes_into_parts_and_back() -> None:
    """Its object is always what ``render`` writes for the same state; a pod that comes changes elements only."""
    remote, ends = Party("remote-cluster"), [Party(namespace=f"ns{number}") for number in range(20)]
    both = [Rule("allow", *((remote, end) if at % 2 else (end, remote))) for at, end in enumerate(ends)]
    both += [Rule("deny", remote, None), Rule("deny", None, remote)]
    many = replace(large(both, len(ends), cidrs=60), firewall_fields=frozenset({"sets", "ctstate"}))
    more = replace(many, pods=(*many.pods, Pod("ns1", "second", "worker", addresses=("10.8.9.9",))))
    few = replace(more, policies=(replace(more.policies[0], rules=tuple(both[:1])),))
    state = state_of(objects(many))
    found: list[chains.FirewallConfiguration] = []
    for version in (many, more, few, more):
        state.apply(batch_of(objects(version)))
        (made,) = wanted(state)
        (table,) = tables(solve(base_of(objects(version)), RENDERED))
        assert made.body == chains.firewall_object(table)
        assert (
            made.counts.rules
            == sum(row[2] == "rule" for row in state.rows("chain_rule"))
            >= len(version.policies[0].rules)
        )
        found.append(made.body)
    parts, grown, whole, again = (each["spec"]["table"] for each in found)
    assert (len(parts["chains"]), [each["name"] for each in whole["chains"]]) == (3, ["connectivity"])
    assert parts["chains"] == grown["chains"]
    assert parts["sets"] != grown["sets"]
    assert again == grown
