"""A table is the same wherever it is read: as rendered, as stored, as a kernel lists it. And nothing else is the same."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import pytest

from liqo_connectivity.chains import (
    ChainError,
    Difference,
    Table,
    TableView,
    assemble,
    assemble_nft,
    differences,
    firewall_object,
    nft_script,
    view_listing,
    view_spec,
    view_table,
)
from liqo_connectivity.chains.comparison.views import ChainView, RuleView
from liqo_connectivity.rules.relations import Enforcer
from tests.support import netlink_agent, nft
from tests.support.clusters import RENDERED, base_of, layout, solve
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.seeds import examples

TABLES = 30
"""How many clusters are drawn for the tests that load them into a kernel."""


def drawn(seed: int, *, nft_only: bool) -> list[Table]:
    """The tables of a random cluster's enforced policies."""
    described = cluster(Random(seed))
    model = solve(base_of(objects(described)), RENDERED, [Enforcer("nftables")] if nft_only else [])
    encode = assemble_nft if nft_only else assemble
    return [table for part in layout(model).by_peering().values() for table in encode(part) if table.chains]


@pytest.mark.parametrize("first", range(0, examples(TABLES), 5))
def test_a_kernel_that_loaded_an_nft_script_differs_in_nothing(first: int) -> None:
    for seed in range(first, first + 5):
        tables = drawn(seed, nft_only=True)
        if tables:
            listed = view_listing(json.dumps({"nftables": nft.load_script(nft_script(tables))}))
            assert {table.name: differences(view_table(table), listed[view_table(table).key]) for table in tables} == {
                table.name: [] for table in tables
            }


@pytest.mark.parametrize("first", range(0, examples(TABLES), 5))
def test_an_object_and_a_kernel_with_liqos_agent_differ_in_nothing(first: int) -> None:
    for seed in range(first, first + 5):
        for table in drawn(seed, nft_only=False):
            view, spec = view_table(table), firewall_object(table)["spec"]
            assert differences(view, view_spec(spec)) == []
            (answer,) = netlink_agent.applied([spec])
            listed = view_listing(json.dumps({"nftables": answer["listing"]}))
            assert differences(view, listed[view.key]) == []


def changed(view: TableView, rng: Random) -> list[TableView]:
    """Views that differ from one, each in one way."""
    (name,) = view.chains
    chain = view.chains[name]
    found = [replace(view, chains={}), replace(view, chains={name: replace(chain, base="type nat")})]
    found.append(replace(view, sets={**view.sets, "other.0": frozenset()}))
    for position, rule in enumerate(chain.rules):
        before, after = chain.rules[:position], chain.rules[position + 1 :]
        flipped = replace(rule, verdict="drop" if rule.verdict == "accept" else "accept")
        ways = [(*before, *after), (*before, flipped, *after), (*before, rule, rule, *after)]
        ways += [(*before, replace(rule, matches=rule.matches - {each}), *after) for each in rule.matches]
        if any((rule.matches, rule.verdict) != (each.matches, each.verdict) for each in after):
            ways.append((*before, *after, rule))
        found += (replace(view, chains={name: replace(chain, rules=way)}) for way in ways)
    for held, elements in view.sets.items():
        found.append(replace(view, sets={**view.sets, held: elements | {"192.0.2.99"}}))
        found.append(replace(view, sets={each: rest for each, rest in view.sets.items() if each != held}))
        if elements:
            gone = rng.choice(sorted(elements))
            found.append(replace(view, sets={**view.sets, held: elements - {gone}}))
    return found


def test_any_change_is_a_difference() -> None:
    tried = 0
    for seed in range(examples(TABLES)):
        for table in drawn(seed, nft_only=True):
            view = view_table(table)
            for other in changed(view, Random(seed)):
                assert differences(view, other)
                assert differences(other, view)
                tried += 1
    assert tried > 200


def test_a_rule_that_stood_twice_and_moved_once_is_missing_once() -> None:
    def view(*names: str) -> TableView:
        rules = tuple(RuleView("", frozenset({name}), "drop") for name in names)
        return TableView("ip", "connectivity-milan", {"c": ChainView("", rules)}, {})

    found = differences(view("a", "a", "b", "c"), view("b", "c", "a"))
    assert sorted(each.change for each in found) == ["missing", "moved"]


LISTED: tuple[tuple[str, Sequence[Any], frozenset[str]], ...] = (
    ("one address", [("ip", "saddr", "==", "10.0.0.1")], frozenset({"source 10.0.0.1/32"})),
    (
        "touching CIDRs that nft joined to a range",
        [("ip", "daddr", "==", {"set": [{"range": ["10.0.0.0", "10.0.2.255"]}]})],
        frozenset({"destination 10.0.0.0-10.0.2.255"}),
    ),
    (
        "the same, apart",
        [("ip", "daddr", "==", {"set": [{"prefix": {"addr": "10.0.2.0", "len": 24}}, {"prefix": {"addr": "10.0.0.0", "len": 23}}]})],
        frozenset({"destination 10.0.0.0-10.0.2.255"}),
    ),
    (
        "a range of ports as its ends",
        [("tcp", "dport", ">=", 80), ("tcp", "dport", "<=", 90)],
        frozenset({"protocol tcp", "port 80-90"}),
    ),
    ("a port of any transport header", [("th", "dport", "==", 53)], frozenset({"port 53"})),
    ("ports in no order", [("udp", "dport", "==", {"set": [53, {"range": [20, 22]}]})], frozenset({"protocol udp", "port 20-22,53"})),
)  # fmt: skip


PLACE = {"family": "ip", "table": "connectivity-milan"}


def listed(expressions: Sequence[object]) -> list[dict[str, Any]]:
    """The entries of a listing with one chain of one rule."""
    chain = {**PLACE, "name": "connectivity", "type": "filter", "hook": "postrouting", "prio": 90, "policy": "accept"}
    rule = {**PLACE, "chain": "connectivity", "comment": "r", "expr": [*expressions, {"accept": None}]}
    table = {"family": "ip", "name": "connectivity-milan"}
    return [{"metainfo": {"version": "1.0.2"}}, {"table": table}, {"chain": chain}, {"rule": rule}]


def rule_of(expressions: Sequence[object]) -> TableView:
    return view_listing(json.dumps({"nftables": listed(expressions)}))["ip", "connectivity-milan"]


@pytest.mark.parametrize(("matches", "texts"), [case[1:] for case in LISTED], ids=[case[0] for case in LISTED])
def test_forms_that_nft_prints_are_one_text(matches: Sequence[Any], texts: frozenset[str]) -> None:
    expressions = [
        {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}
        for protocol, field, op, right in matches
    ]
    (rule,) = rule_of([*expressions, {"counter": {"packets": 3, "bytes": 180}}]).chains["connectivity"].rules
    assert (rule.matches, rule.verdict) == (texts, "accept")


@pytest.mark.parametrize("number", [6, "tcp"])
def test_a_protocol_may_be_a_number(number: object) -> None:
    match = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": number}}
    (rule,) = rule_of([match]).chains["connectivity"].rules
    assert rule.matches == {"protocol tcp"}


@pytest.mark.parametrize(
    "expression",
    [
        {"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}},
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}},
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 80}},
        {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}},
        {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}},
        {"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": {"set": []}}},
        {"drop": None},
        "notrack",
        {},
        [],
        7,
    ],
    ids=str,
)
def test_what_is_not_understood_equals_nothing(expression: object) -> None:
    wanted, found = rule_of([]), rule_of([expression])
    assert differences(wanted, found)


DORMANT = "it has flags, such as that of a dormant table, which filters nothing"


@pytest.mark.parametrize("flags", ["dormant", ["dormant", "owner"], "\x00"])
def test_a_dormant_table_is_not_the_same(flags: object) -> None:
    """The kernel keeps all of a dormant table, and runs none of it."""
    wanted = rule_of([])
    found = view_listing(json.dumps({"nftables": [*listed([]), {"map": {**PLACE, "name": "m"}}]}))[wanted.key]
    assert differences(wanted, found) == [Difference("table", "changed", wanted.name, "it has a map named m")]
    sleeping = [
        {**each, "table": {**each["table"], "flags": flags}} if "table" in each else each for each in listed([])
    ]
    found = view_listing(json.dumps({"nftables": sleeping}))[wanted.key]
    assert [each.text for each in differences(wanted, found)] == [DORMANT]


def test_a_dormant_table_of_a_real_kernel_is_seen() -> None:
    table = next(table for seed in count() for table in drawn(seed, nft_only=True))
    view = view_table(table)
    loaded = nft.load_script(nft_script([table]), f"table {table.family} {table.name} {{ flags dormant; }}\n")
    found = view_listing(json.dumps({"nftables": loaded}))[view.key]
    assert differences(view, found) == [Difference("table", "changed", table.name, DORMANT)]


@pytest.mark.parametrize(
    ("printed", "priority"), [(90, 90), ("srcnat - 10", 90), ("filter", 0), ("dstnat+5", -95), ("odd", "odd")]
)
def test_a_priority_may_be_printed_by_name(printed: object, priority: object) -> None:
    entries = [
        {"metainfo": {}},
        {"table": {"family": "ip", "name": "connectivity-a"}},
        {
            "chain": {
                "family": "ip",
                "table": "connectivity-a",
                "name": "c",
                "type": "filter",
                "hook": "h",
                "prio": printed,
            }
        },
    ]
    view = view_listing(json.dumps({"nftables": entries}))["ip", "connectivity-a"]
    assert view.chains["c"].base == f"type filter hook h priority {priority} policy None"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table ip connectivity-milan {\n}\n", "is not JSON"),
        ('{"nftables": [{"metainfo": {}}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "has no list named nftables"),
        ("[]", "has no list named nftables"),
        ('{"nftables": []}', "is not whole"),
    ],
)
def test_what_is_no_listing_is_refused(text: str, message: str) -> None:
    with pytest.raises(ChainError, match=message):
        view_listing(text)


def test_a_spec_whose_fields_were_dropped_is_another() -> None:
    """The definition of released Liqo drops sets and ctstate: what is left accepts everything."""
    table = next(table for seed in count() for table in drawn(seed, nft_only=False) if table.sets)
    whole: Any = json.loads(json.dumps(firewall_object(table)["spec"]))
    whole["table"].pop("sets")
    whole["table"]["chains"][0]["rules"]["filterRules"][0]["match"][0].pop("ctstate")
    found = differences(view_table(table), view_spec(whole))
    assert Difference("set", "missing", table.sets[0].name) in found
    assert [each.change for each in found if each.part == "rule"][:2] == ["missing", "extra"]


@pytest.mark.parametrize("spec", [None, [], {"table": None}, {"table": {"chains": [None], "sets": [7]}}])
def test_a_spec_of_any_form_has_a_view(spec: object) -> None:
    assert view_spec(spec).key == ("None", "None")
