"""FirewallConfigurations before Liqo's webhook and in the hands of Liqo's agent: what arrives in the kernel is what was
written, after every edit. The agent is a model (``liqo_agent``), the mistakes it makes with other names are shown first.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from random import Random
from typing import Any, TypeAlias

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import Layout, assemble, firewall_yaml
from tests.support.chain_layouts import PARTIES, PolicyRule, Port, policy_relations
from tests.support.liqo_agent import Agent, KernelError, compiled
from tests.support.liqo_webhook import DeniedError, admit
from tests.support.seeds import examples

Object: TypeAlias = dict[str, Any]
Members: TypeAlias = Mapping[str, Sequence[str]]

MEMBERS: Members = {"offloaded": ["10.1.0.9"], "vc-local": ["10.1.0.7", "10.1.0.8"], "vc-remote": ["10.71.0.9"]}


def write(policy: Sequence[PolicyRule], members: Members = MEMBERS, peering: str = "milan") -> Object:
    """The object of a policy, as it is sent and as the webhook admits it."""
    tables = assemble(Layout.from_relations(policy_relations(policy, members, peering)))
    (made,) = yaml.load_all(firewall_yaml(tables), Loader=yaml.CSafeLoader)
    admit(made)
    configuration: Object = made
    return configuration


def wanted(configuration: Object) -> list[Any]:
    rules = configuration["spec"]["table"]["chains"][0]["rules"]["filterRules"]
    return [(rule["name"], compiled(rule)) for rule in rules]


def kernel(agent: Agent, peering: str = "milan") -> list[Any]:
    rules = agent.tables[f"connectivity-{peering}"].chains["connectivity"].rules
    return [(rule.comment, rule.expressions) for rule in rules]


def check(agent: Agent, configuration: Object) -> None:
    agent.apply(configuration)
    assert kernel(agent) == wanted(configuration)
    assert agent.tables["connectivity-milan"].sets == {
        held["name"]: {element["key"] for element in held["elements"]}
        for held in configuration["spec"]["table"]["sets"]
    }


# ---- Edits ----

A, B, C, X = (
    ("drop", "vc-remote", "any"),
    ("accept", "any", "local-cluster"),
    ("drop", "offloaded", "vc-local"),
    ("accept", "private-subnets", "remote-cluster"),
)
WEB = (("tcp", 80, 80),)
W = ("accept", "any", "vc-local", WEB)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([A, B, C], [X, A, B, C]),
        ([A, B, C], [A, X, B, C]),
        ([A, B, C], [A, B, C, X]),
        ([A, B, C], [B, C]),
        ([A, B, C], [A, C]),
        ([A, B, C], [C, B, A]),
        ([A, B, C], []),
        ([A, B, B, C], [A, X, B, B, C]),
        ([A, A, A], [A, A]),
        ([A, ("drop", "offloaded", "vc-local"), B], [A, ("drop", "vc-local", "offloaded"), B]),
        ([A, ("drop", "offloaded", "offloaded"), B], [A, ("drop", "offloaded", "private-subnets"), B]),
        ([A, ("drop", "offloaded", "offloaded"), B], [A, ("drop", "offloaded", "vc-local"), B]),
        ([("drop", "nowhere", "any"), A, B], [A, ("drop", "nowhere", "any"), B]),
        ([A, W, B], [A, (*W[:3], (("tcp", 81, 81),)), B]),
        ([A, W, B], [A, (*W[:3], (("udp", 80, 80),)), B]),
        ([A, W, B], [A, (*W[:3], (("tcp", 80, 81),)), B]),
        ([A, W, B], [A, (*W[:3], (("tcp", 0, 65535),)), B]),
        ([A, W, B], [A, W[:3], B]),
        ([A, (*W[:3], (("tcp", 80, 81),)), B], [A, (*W[:3], (("tcp", 80, 80), ("tcp", 81, 81))), B]),
    ],
)
def test_after_an_edit_the_kernel_has_the_rules_in_the_order_written(
    before: list[PolicyRule], after: list[PolicyRule]
) -> None:
    agent = Agent()
    for policy in (before, after, before):
        check(agent, write(policy))


ports_strategy = st.sampled_from([(), WEB, (("tcp", 80, 90),), (("udp", 80, 80), ("tcp", 0, 65535))])
rule_strategy: st.SearchStrategy[PolicyRule] = st.tuples(
    st.sampled_from(["accept", "drop"]), st.sampled_from(PARTIES), st.sampled_from(PARTIES), ports_strategy
)
edit_strategy = st.tuples(
    st.sampled_from(["insert", "remove", "swap", "turn", "replace", "repeat"]),
    st.integers(0, 7),
    st.integers(0, 7),
    rule_strategy,
)


def ports_of(rule: PolicyRule) -> tuple[Port, ...]:
    return rule[3] if len(rule) == 4 else ()


def edited(policy: list[PolicyRule], edit: tuple[str, int, int, PolicyRule]) -> list[PolicyRule]:
    kind, first, second, rule = edit
    changed = list(policy)
    if kind == "insert" or not changed:
        changed.insert(first % (len(changed) + 1), rule)
        return changed
    here, there = first % len(changed), second % len(changed)
    if kind == "remove":
        del changed[here]
    elif kind == "swap":
        changed[here], changed[there] = changed[there], changed[here]
    elif kind == "turn":
        verdict, source, destination = changed[here][:3]
        changed[here] = (verdict, destination, source, ports_of(changed[here]))
    elif kind == "replace":
        changed[here] = (*changed[here][:2], rule[2], ports_of(rule))
    else:
        changed.insert(there, changed[here])
    return changed


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(rule_strategy, max_size=5), st.lists(edit_strategy, min_size=1, max_size=8), st.data())
def test_after_every_edit_of_a_sequence_the_kernel_is_as_written(
    policy: list[PolicyRule], edits: list[tuple[str, int, int, PolicyRule]], data: st.DataObject
) -> None:
    agent = Agent()
    check(agent, write(policy))
    for edit in edits:
        policy = edited(policy, edit)
        pods = data.draw(st.lists(st.integers(1, 6), unique=True))
        members = {**MEMBERS, "vc-remote": [f"10.71.0.{pod}" for pod in pods]}
        check(agent, write(policy, members))


def by_index(rules: list[Object]) -> list[str]:
    return [f"allowed-traffic-{index}" for index in range(len(rules))]


def by_content(rules: list[Object]) -> list[str]:
    contents = [str(compiled(rule)) for rule in rules]
    return [f"{content}-{contents[:index].count(content)}" for index, content in enumerate(contents)]


def as_written(rules: list[Object]) -> list[str]:
    return [rule["name"] for rule in rules]


def wrong_after_edits(naming: Callable[[list[Object]], list[str]], rounds: int) -> int:
    random, wrong = Random(2026), 0
    for _ in range(rounds):
        agent = Agent()
        policy: list[PolicyRule] = [random.choice([A, B, C, X]) for _ in range(4)]
        for _ in range(2):
            configuration = deepcopy(write(policy))
            rules = configuration["spec"]["table"]["chains"][0]["rules"]["filterRules"]
            for rule, name in zip(rules, naming(rules), strict=True):
                rule["name"] = name
            agent.apply(configuration)
            wrong += kernel(agent) != wanted(configuration)
            kind = random.choice(["insert", "remove", "swap", "turn", "replace"])
            rule = (random.choice(["accept", "drop"]), random.choice(PARTIES), random.choice(PARTIES))
            policy = edited(policy, (kind, random.randrange(8), random.randrange(8), rule))
    return wrong


@pytest.mark.slow
def test_the_model_of_the_agent_goes_wrong_with_other_names_as_the_real_one_does() -> None:
    assert wrong_after_edits(by_index, 60) > 0
    assert wrong_after_edits(by_content, 60) > 0
    assert wrong_after_edits(as_written, 60) == 0


def test_the_model_of_the_agent_repeats_the_order_that_was_measured() -> None:
    def named(*rules: tuple[str, str]) -> Object:
        configuration = write([])
        configuration["spec"]["table"]["chains"][0]["rules"]["filterRules"] = [
            {
                "name": name,
                "counter": False,
                "action": "drop",
                "match": [{"op": "eq", "ip": {"value": value, "position": "src"}}],
            }
            for name, value in rules
        ]
        return configuration

    def order(before: Object, after: Object) -> list[str]:
        agent = Agent()
        agent.apply(before)
        agent.apply(after)
        return [expressions[1][2] for _, expressions in kernel(agent)]

    a, b, c, x = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"
    three = named(("r0", a), ("r1", b), ("r2", c))
    assert order(three, named(("r0", a), ("r1", x), ("r2", c))) == [a, c, x]
    assert order(three, named(("r0", a), ("new", x), ("r1", b), ("r2", c))) == [a, b, c, x]
    assert order(three, named(("r2", c), ("r1", b), ("r0", a))) == [a, b, c]
    assert order(
        named(("r0", a), ("r1", b), ("r2", b), ("r3", c)), named(("r0", a), ("r1", x), ("r2", b), ("r3", b), ("r4", c))
    ) == [a, b, x, b, c]


# ---- Sets ----


def members(count: int) -> Members:
    return {"vc-remote": [f"10.71.{i >> 8}.{i & 255}" for i in range(count)]}


@pytest.mark.slow
def test_the_same_set_rewritten_is_left_alone_and_a_changed_one_is_exact() -> None:
    agent = Agent()
    for count in (0, 1, 3, 2, 4095, 4096, 5000, 4095, 1, 0):
        check(agent, write([A], members(count)))


def test_one_set_above_the_limit_would_have_lost_most_of_its_elements() -> None:
    configuration = write([A], members(4095))
    configuration["spec"]["table"]["sets"][0]["elements"] = [{"key": f"10.71.{i >> 8}.{i & 255}"} for i in range(5000)]
    agent = Agent()
    agent.apply(configuration)
    assert len(agent.tables["connectivity-milan"].sets["group.vc_remote.0"]) == 904
    configuration["spec"]["table"]["sets"][0]["elements"] = [{"key": f"10.71.{i >> 8}.{i & 255}"} for i in range(4096)]
    with pytest.raises(KernelError):
        Agent().apply(configuration)


# ---- Objects ----


def test_the_objects_of_two_peerings_are_admitted_side_by_side() -> None:
    milan, rome = write([A, B], peering="milan"), write([A, B], peering="rome")
    admit(milan, [rome])
    admit(rome, [milan])
    assert milan["metadata"]["labels"] == rome["metadata"]["labels"]
    with pytest.raises(DeniedError, match="already used with the same labels"):
        admit({**rome, "spec": milan["spec"]}, [milan])


def test_the_webhook_model_refuses_what_the_real_one_does() -> None:
    def damaged(damage: Callable[[Object], Any]) -> Object:
        table_of = write([A], members(1))
        damage(table_of["spec"]["table"])
        return table_of

    def rules(table: Object) -> list[Object]:
        found: list[Object] = table["chains"][0]["rules"]["filterRules"]
        return found

    damages: list[Callable[[Object], Any]] = [
        lambda table: table["sets"][0].update(name="ns-a"),
        lambda table: table["sets"][0].update(name="x" * 201),
        lambda table: table["sets"].append(table["sets"][0]),
        lambda table: table["sets"][0]["elements"].append({"key": "10.0.0.0/8"}),
        lambda table: rules(table).append(rules(table)[0]),
        lambda table: rules(table)[0]["match"][0].pop("ctstate"),
        lambda table: rules(table)[1]["match"][0]["ip"].update(value="@nosuch"),
        lambda table: rules(table)[1]["match"][0]["ip"].update(value=""),
        lambda table: rules(table)[1].pop("match"),
    ]
    for damage in damages:
        with pytest.raises((DeniedError, ValueError)):
            admit(damaged(damage))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(rule_strategy, max_size=6))
def test_nothing_is_written_that_the_agent_or_the_kernel_mistakes(policy: list[PolicyRule]) -> None:
    table = write(policy)["spec"]["table"]
    for rule in table["chains"][0]["rules"]["filterRules"]:
        assert rule["counter"] is False
        assert rule["action"] in ("accept", "drop")
        assert len(rule["name"].encode()) <= 120
        for entry in rule["match"]:
            assert entry["op"] == "eq"
            # The agent matches a port of any protocol, so a port is never without one.
            assert entry.keys() - {"op"} in ({"ip"}, {"ctstate"}, {"proto"}, {"proto", "port"})
            assert ":" not in entry.get("ip", {}).get("value", "")
