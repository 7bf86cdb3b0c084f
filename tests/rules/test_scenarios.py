"""The scenarios that are no state of a cluster but an edit, a number or a property of everything that is written.

Those that are a state are folders of ``tests/data/cases``. What needs a running operator and an API server (conflicts,
deletion, restarts, agents' conditions, bursts) is not here.
"""

import json
import random
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
import yaml

from tests.support import liqo_webhook, nft
from tests.support.case_folder import CASES
from tests.support.case_objects import Object, PolicyRule, base_texts, chains, elements, pod, policy, render
from tests.support.case_outcome import command, laid_out
from tests.support.chain_verdict import Packet, configuration_verdict
from tests.support.liqo_agent import Agent, compiled

A: PolicyRule = ("deny", "remote-cluster", "ns:infra")
B: PolicyRule = ("allow", "vc-local", "vc-remote")
C: PolicyRule = ("deny", "any", "remote-cluster")
X: PolicyRule = ("allow", "vc-remote", "private-subnets")


def in_kernel(agent: Agent, configuration: Object) -> bool:
    """Whether an agent's kernel holds a FirewallConfiguration: its rules in its order, and its sets."""
    table = configuration["spec"]["table"]
    (chain,) = table["chains"]
    held = agent.tables[table["name"]]
    rules = [(rule.comment, rule.expressions) for rule in held.chains[chain["name"]].rules]
    return rules == [(rule["name"], compiled(rule)) for rule in chain["rules"]["filterRules"]] and held.sets == {
        written["name"]: {entry["key"] for entry in written["elements"]} for written in table["sets"]
    }


def test_scenario_03_the_order_of_the_input_does_not_change_a_byte() -> None:
    policies = [policy("milan", A, B, C), policy("naples", C, X)]
    texts = [*base_texts("both"), *(yaml.dump(written) for written in policies)]
    said = set()
    for seed in range(5):
        random.Random(seed).shuffle(texts)
        half = len(texts) // 2
        files = {"b.yaml": "---\n".join(texts[:half]).encode(), "a.yaml": "---\n".join(texts[half:]).encode()}
        with laid_out(files) as names:
            said.add((command("render", files=names), command("facts", "dump", files=names)))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([A, B, C], [X, A, B, C], id="insert first"),
        pytest.param([A, B, C], [A, X, B, C], id="insert in the middle"),
        pytest.param([A, B, C], [A, B, C, X], id="insert last"),
        pytest.param([A, B, C], [A, C], id="remove"),
        pytest.param([A, B, C], [A, C, B], id="swap"),
        pytest.param([A, B, C], [C, B, A], id="reverse"),
        pytest.param([A, B, C], [], id="remove all"),
        pytest.param([A, B, B, C], [A, X, B, B, C], id="insert before repeated rules"),
        pytest.param([A, B, B, C], [A, B, C], id="remove a repeated rule"),
        pytest.param([A, B, C], [A, ("deny", *B[1:]), C], id="change an action"),
    ],
)
def test_scenario_04_rules_reach_the_kernel_in_order_after_an_edit(
    before: list[PolicyRule], after: list[PolicyRule]
) -> None:
    agent = Agent()
    for rules in (before, after, before):
        (made,) = chains("consumer", policy("milan", *rules))
        agent.apply(made)
        assert in_kernel(agent, made)


def test_scenario_05_swapping_the_sides_of_a_rule_reaches_the_kernel() -> None:
    agent = Agent()
    for rules in ([A, B, C], [A, ("allow", "vc-remote", "vc-local"), C]):
        (made,) = chains("consumer", policy("milan", *rules))
        agent.apply(made)
        assert in_kernel(agent, made)
    assert configuration_verdict([made], Packet("10.71.2.10", "10.244.1.7")) == "accept"


def test_scenario_06_another_group_in_a_rule_of_the_same_length_reaches_the_kernel() -> None:
    agent = Agent()
    for destination in ("offloaded", "private-subnets", "vc-remote", "offloaded"):
        (made,) = chains("both", policy("milan", ("deny", "offloaded", destination)))
        agent.apply(made)
        assert in_kernel(agent, made)


def test_scenario_22_a_pod_is_an_element_while_it_has_an_address() -> None:
    held = []
    for pods in (
        [pod("shop", "new-0", "", phase="Pending")],
        [pod("shop", "new-0", "10.244.1.90")],
        [pod("shop", "new-0", "10.244.1.90", phase="Succeeded")],
        [],
    ):
        (made,) = chains("consumer", policy("milan", B, C), *pods)
        held.append(elements(made, "group.vc_local"))
    assert held == [[["10.244.1.7"]], [["10.244.1.7", "10.244.1.90"]], [["10.244.1.7"]], [["10.244.1.7"]]]


@pytest.mark.slow
@pytest.mark.parametrize("count", [4095, 4096, 5000])
def test_scenario_26_a_group_of_any_size_is_enforced_in_sets_that_an_agent_can_install(count: int) -> None:
    first = IPv4Address("10.244.16.0")
    many = [str(first + number) for number in range(count - 1)]
    pods = [pod("shop", f"many-{number}", address) for number, address in enumerate(many)]
    objects = [policy("milan", ("deny", "vc-local", "remote-cluster"), ("deny", "any", "vc-local")), *pods]
    (made,) = chains("consumer", *objects)
    shards = elements(made, "group.vc_local")
    assert all(len(shard) <= 4095 for shard in shards)
    assert sorted(address for shard in shards for address in shard) == sorted([*many, "10.244.1.7"])
    assert len(shards) == (1 if count <= 4095 else 2)
    liqo_webhook.admit(made)
    agent = Agent()
    agent.apply(made)
    assert in_kernel(agent, made)
    for member in (many[0], many[-1], "10.244.1.7"):
        assert configuration_verdict([made], Packet(member, "10.71.9.9")) == "drop"
        assert configuration_verdict([made], Packet("192.0.2.1", member)) == "drop"
        assert configuration_verdict([made], Packet(member, "192.0.2.1")) == "accept"
    assert configuration_verdict([made], Packet("10.244.1.9", "10.71.9.9")) == "accept"
    listing = nft.load_script(render("consumer", objects, "nft").stdout)
    loaded = {held["name"]: len(held.get("elem", ())) for held in nft.objects(listing, "set")}
    assert loaded == {held["name"]: len(held["elements"]) for held in made["spec"]["table"]["sets"]}


@pytest.mark.parametrize("rules", [[("allow", "vc-local", "vc-remote")], [("deny", "ns:mail", "any")]])
def test_scenario_27_a_new_plain_pod_changes_the_chain_of_every_peering_that_looks_at_it(
    rules: list[PolicyRule],
) -> None:
    policies = [policy("milan", *rules), policy("naples", *rules)]
    before = chains("both", *policies)
    after = chains("both", *policies, pod("mail", "new-0", "10.244.1.91"))
    party = "namespace.mail" if rules[0][1] == "ns:mail" else "group.vc_local"
    for old, new in zip(before, after, strict=True):
        (had,), (has,) = elements(old, party), elements(new, party)
        assert set(has) - set(had) == {"10.244.1.91"}
        assert set(had) <= set(has)


def test_scenario_30_the_policy_that_does_not_govern_may_come_and_go() -> None:
    older = policy("milan", C, name="older")
    younger = policy("milan", X, name="an-other", created="2026-07-10T10:00:00Z")
    alone = render("consumer", [older])
    together = render("consumer", [younger, older])
    assert (together.stdout, together.code) == (alone.stdout, 0)
    assert "Conflict" in together.stderr
    assert render("consumer", [younger]).stdout != alone.stdout


def test_scenario_31_whoever_compares_finds_every_edit_by_hand() -> None:
    """Restoring what was edited needs the operator; that it can tell needs the same bytes for the same cluster."""
    objects = [policy("milan", A, B, C), pod("shop", "new-0", "10.244.1.90")]
    assert render("consumer", objects) == render("consumer", objects)
    (made,) = chains("consumer", *objects)
    edited = json.loads(json.dumps(made))
    edited["spec"]["table"]["chains"][0]["rules"]["filterRules"].pop()
    assert edited != chains("consumer", *objects)[0]


WRITTEN = sorted(CASES.glob("*/chains.yaml"))


@pytest.mark.parametrize("path", WRITTEN, ids=[path.parent.name for path in WRITTEN])
def test_scenario_42_nothing_is_written_that_the_agent_gets_wrong(path: Any) -> None:
    for made in yaml.load_all(path.read_text("utf-8"), yaml.CSafeLoader):
        if made is None:
            continue
        table = made["spec"]["table"]
        assert table["family"] == "IPV4"
        for held in table["sets"]:
            keys = [entry["key"] for entry in held["elements"]]
            assert len(keys) <= 4095
            assert len(keys) == len(set(keys))
            assert [str(IPv4Address(key)) for key in keys] == keys
        for chain in table["chains"]:
            # Before source NAT, which takes effect at 100.
            assert (chain["hook"], chain["policy"], chain["priority"] < 100) == ("postrouting", "accept", True)
            for rule in chain["rules"]["filterRules"]:
                assert (rule["counter"], rule["action"] in {"accept", "drop"}) == (False, True)
                assert len(rule["name"]) <= 120
                assert all(rule["match"])
                for entry in rule["match"]:
                    _check_entry(entry, {held["name"]: held["elements"] for held in table["sets"]})


def _check_entry(entry: Mapping[str, Any], sets: Mapping[str, Any]) -> None:
    assert set(entry) in ({"op", "ip"}, {"op", "ctstate"}, {"op", "proto"}, {"op", "proto", "port"})
    if "port" in entry:
        first, _, last = entry["port"]["value"].partition("-")
        assert 0 <= int(first) <= int(last or first) <= 65535
        assert (entry["port"]["position"], entry["proto"]["value"] in {"tcp", "udp"}) == ("dst", True)
    if "ip" in entry:
        value = entry["ip"]["value"]
        if value.startswith("@"):
            assert sets[value[1:]] or entry["op"] == "eq"
        else:
            # An address with host bits never matches; an empty one is no address.
            assert str(ip_network(value, strict=True)) == value
            assert ip_network(value).version == 4


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "group:intranet@milan",
            "there is no group 'intranet'; groups: internet, local-cluster, nameserver, offloaded",
        ),
        ("group:vc-remote@paris", "there is no peering 'paris'; peerings: milan"),
        ("shop/nobody", "there is no Pod 'shop/nobody' in the input"),
        ("ip:10.71.2.300", "'10.71.2.300' is not an IP address"),
    ],
)
def test_a_question_about_what_does_not_exist_is_wrong_usage(source: str, said: str) -> None:
    with laid_out({"base.yaml": "---\n".join(base_texts("consumer")).encode()}) as names:
        answer = command("why", source, "infra/dns-0", files=names)
    assert (answer.code, answer.stdout) == (2, "")
    assert said in answer.stderr
