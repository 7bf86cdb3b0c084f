"""Liqo's released code on a real kernel: after every edit of our objects it has what they say, and our model of it is right."""

import os
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, TypeAlias

import pytest

from tests.chains.test_liqo import as_written, by_content, by_index, edited, write
from tests.support.chain_layouts import CIDRS, PolicyRule
from tests.support.liqo_agent import Agent
from tests.support.liqo_program import Outcome, applied
from tests.support.seeds import SEEDS

pytestmark = pytest.mark.slow

Object: TypeAlias = dict[str, Any]
Naming: TypeAlias = Callable[[list[Object]], list[str]]

SEQUENCES = int(os.environ.get("SEQUENCES", "12" if SEEDS == "few" else "80"))
EDITS = 6
PARTIES = ("any", *CIDRS)
"""The parties that need no set."""
PORTS = ((), (), (("tcp", 443, 443),), (("tcp", 80, 90), ("udp", 53, 53)))


def some_rule(rng: Random) -> PolicyRule:
    return rng.choice(("accept", "drop")), rng.choice(PARTIES), rng.choice(PARTIES), rng.choice(PORTS)


def versions(rng: Random, naming: Naming) -> list[Object]:
    """A policy and six edits of it, as objects; without the rule by connection state, which released Liqo does not know."""
    policy = [some_rule(rng) for _ in range(rng.randrange(6))]
    made: list[Object] = []
    for number in range(EDITS + 1):
        if number:
            kind = rng.choice(("insert", "remove", "swap", "turn", "replace", "repeat"))
            policy = edited(policy, (kind, rng.randrange(8), rng.randrange(8), some_rule(rng)))
        configuration = deepcopy(write(policy))
        rules: list[Any] = configuration["spec"]["table"]["chains"][0]["rules"]["filterRules"]
        del rules[0]
        for rule, name in zip(rules, naming(rules), strict=True):
            rule["name"] = name
        made.append(configuration)
    return made


def drawn(count: int, naming: Naming) -> list[list[Object]]:
    return [versions(Random(seed), naming) for seed in range(count)]


def outcomes(sequences: list[list[Object]]) -> list[list[Outcome]]:
    return applied([[version["spec"] for version in sequence] for sequence in sequences])


def test_after_each_of_six_edits_the_kernel_has_the_rules_in_their_order() -> None:
    sequences = drawn(SEQUENCES, as_written)
    rules = 0
    for sequence, found in zip(sequences, outcomes(sequences), strict=True):
        for version, outcome in zip(sequence, found, strict=True):
            written = version["spec"]["table"]["chains"][0]["rules"]["filterRules"]
            assert outcome.error == ""
            assert [rule.name for rule in outcome.alone] == [rule["name"] for rule in written]
            assert outcome.rules == outcome.alone
            rules += len(written)
    assert rules > SEQUENCES * EDITS


@pytest.mark.parametrize("naming", [by_index, by_content], ids=["index", "content"])
def test_with_other_names_it_goes_wrong(naming: Naming) -> None:
    """So the names matter, and the test above can fail."""
    found = outcomes(drawn(30, naming))
    assert any(outcome.rules != outcome.alone for sequence in found for outcome in sequence)


@pytest.mark.parametrize("naming", [as_written, by_index], ids=["as written", "index"])
def test_our_model_of_the_agent_does_what_the_agent_does(naming: Naming) -> None:
    """The same rules in the same order after every edit, wrong ones too; equal to the model is equal to the kernel."""
    sequences = drawn(SEQUENCES // 4, naming)
    theirs: defaultdict[str, set[str]] = defaultdict(set)
    for sequence, found in zip(sequences, outcomes(sequences), strict=True):
        model = Agent()
        for version, outcome in zip(sequence, found, strict=True):
            model.apply(version)
            (chain,) = model.tables["connectivity-milan"].chains.values()
            assert [rule.comment for rule in chain.rules] == [rule.name for rule in outcome.rules]
            for mine, other in zip(chain.rules, outcome.rules, strict=True):
                theirs[str(mine.expressions)].add(other.expressions)
    assert all(len(kinds) == 1 for kinds in theirs.values())
    assert len({next(iter(kinds)) for kinds in theirs.values()}) == len(theirs) > 20


def part(name: str, side: str, cidr: str) -> Object:
    """A chain as a part has it: guards that exclude 31 ranges and two, to the ends of all addresses, and a drop."""
    ranges = [f"10.{number}.0.0-10.{number}.255.255" for number in range(30)]
    gaps = ["0.0.0.0-10.79.255.255", "10.80.4.0-255.255.255.255"]
    outside, inside = (
        [{"op": "neq", "ip": {"value": value, "position": position}} for value in values]
        for position, values in ((side, [*ranges, "192.0.2.1"]), ("dst", gaps))
    )
    matches = [outside, inside, [{"op": "eq", "ip": {"value": cidr, "position": "dst"}}]]
    rules = [
        {
            "name": f"r{at:03}-{name}-{cidr.replace('.', '-').replace('/', '-')}",
            "counter": False,
            "action": "drop" if at == 2 else "accept",
            "match": match,
        }
        for at, match in enumerate(matches)
    ]
    base = {"hook": "postrouting", "type": "filter", "policy": "accept", "priority": 90}
    return {"name": name, **base, "rules": {"filterRules": rules}}


def test_the_parts_of_a_chain_are_applied_kept_and_replaced() -> None:
    """Ranges, many excluded in one rule, and several base chains of a table: what no chain without parts has."""
    whole = deepcopy(write([("drop", "any", "remote-cluster")]))["spec"]["table"]
    del whole["chains"][0]["rules"]["filterRules"][0]
    one, other = part("from-1", "src", "10.9.0.0/16"), part("to-1", "dst", "10.9.0.0/16")
    changed = part("from-1", "src", "10.8.0.0/16")
    kinds: list[list[Object]] = [
        whole["chains"],
        [one, other],
        [one, other],
        [changed, other],
        [other],
        whole["chains"],
    ]
    versions = [{"table": {**whole, "chains": chains}} for chains in kinds]
    (found,) = applied([versions])
    for chains, outcome in zip(kinds, found, strict=True):
        assert outcome.error == ""
        wanted = {rule["name"] for chain in chains for rule in chain["rules"]["filterRules"]}
        assert {rule.name for rule in outcome.alone} == wanted
        assert sorted(outcome.rules) == sorted(outcome.alone)
        for chain in chains:
            ordered = [rule["name"] for rule in chain["rules"]["filterRules"]]
            assert [rule.name for rule in outcome.rules if rule.name in ordered] == ordered
