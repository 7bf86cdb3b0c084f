"""The reports of Liqo's agents become one answer, which only live agents have a say in."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import summarize
from liqo_connectivity.operator.controller.objects.stored import AGENT, Agent, agent


def agents(*live: str, dead: tuple[str, ...] = ()) -> list[Agent]:
    named = [(name, True) for name in live] + [(name, False) for name in dead]
    return [Agent(ObjectKey(AGENT, "liqo", name), alive) for name, alive in named]


@pytest.mark.parametrize(
    ("hosts", "status", "reason"),
    [
        ((("a", "True"), ("b", "True")), "True", "Enforced"),
        ((("a", "True"),), "Unknown", "AgentsPending"),
        ((), "Unknown", "AgentsPending"),
        ((("a", "True"), ("b", "False")), "False", "AgentsFailed"),
        ((("a", "False"),), "False", "AgentsFailed"),
        # Liqo's first report of a host is empty, and may stay beside the true one.
        ((("a", "True"), ("b", "")), "Unknown", "AgentsPending"),
        ((("a", "True"), ("b", ""), ("b", "True")), "True", "Enforced"),
        ((("b", "True"), ("a", "True"), ("a", "False")), "False", "AgentsFailed"),
        # Reports of hosts that are gone stay for ever.
        ((("a", "True"), ("b", "True"), ("gone", "False"), ("dead", "False")), "True", "Enforced"),
    ],
)
def test_what_agents_report(hosts: tuple[tuple[str, str], ...], status: str, reason: str) -> None:
    found = summarize(agents("a", "b", dead=("dead",)), hosts)
    assert (found.status, found.reason) == (status, reason)


def test_without_agents_nothing_is_enforced() -> None:
    assert summarize(agents(dead=("dead",)), [("dead", "True")]).reason == "NoAgents"


def test_the_message_names_some_agents_and_counts_the_rest() -> None:
    found = summarize(agents(*(f"fabric-{number}" for number in range(9))), [("fabric-0", "True")])
    assert found.message.startswith("8 of 9 agents (fabric-1, fabric-2, fabric-3 and 5 more)")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("True", "False", ""))), max_size=8), st.randoms())
def test_the_order_of_reports_does_not_matter(hosts: list[tuple[str, str]], rng: Random) -> None:
    shuffled = list(hosts)
    rng.shuffle(shuffled)
    assert summarize(agents("a", "b"), hosts) == summarize(agents("b", "a"), shuffled)


@pytest.mark.parametrize(
    ("pod", "live"),
    [
        ({"status": {"phase": "Running"}}, True),
        ({"status": {"phase": "Pending"}}, True),
        ({}, True),
        ({"status": {"phase": "Failed"}}, False),
        ({"status": {"phase": "Succeeded"}}, False),
        ({"status": {"phase": "Running"}, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, False),
    ],
)
def test_which_fabric_pods_are_agents(pod: dict[str, object], live: bool) -> None:
    assert agent(pod).live is live
