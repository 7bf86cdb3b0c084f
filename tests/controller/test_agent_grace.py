"""Pods that come and go do not make ``Ready`` flap, and what really fails shows at once."""

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import AGENT
from liqo_connectivity.operator.controller.writing.object_client import firewall_path
from tests.support.controller_stage import CHAIN, GRACE, HOSTS, STANDIN, Stage
from tests.support.edit_steps import message


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    assert made.ready() == ("Unknown", "AgentsPending"), "nothing was reported yet, so there is nothing to keep"
    made.report("True", "True")
    made.run(0.2)
    assert made.ready() == ("True", "FabricSynced")
    made.shown.clear()
    return made


def test_pods_that_come_and_go_do_not_make_ready_flap(stage: Stage) -> None:
    for number in range(1, 40):
        stage.pod(number)
        stage.report("True", "")
        stage.run(1)
        stage.report("True", "True")
        stage.run(0.2)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced")]


def test_agents_that_do_not_report_in_time_are_pending_whatever_changes_meanwhile(stage: Stage) -> None:
    begin = stage.now - 1000
    for number in range(1, 20):
        stage.pod(number)
        stage.report("True", "")
        stage.run(0.5)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced"), ("Unknown", "AgentsPending")]
    assert stage.shown[1][0] - begin == pytest.approx(GRACE, abs=0.2)
    stage.report("True", "True")
    stage.run(0.2)
    assert stage.ready() == ("True", "FabricSynced")


def test_silence_alone_ends_the_grace(stage: Stage) -> None:
    begin = stage.now - 1000
    stage.pod(1)
    stage.report("", "")
    stage.run(GRACE * 2)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced"), ("Unknown", "AgentsPending")]
    assert stage.shown[1][0] - begin == pytest.approx(GRACE, abs=0.2)


def test_a_failure_shows_at_once(stage: Stage) -> None:
    stage.pod(1)
    stage.report("True", "")
    stage.run(1)
    stage.report("True", "False")
    stage.run(0.1)
    assert stage.ready() == ("False", "AgentsFailed")
    # And then there is nothing to keep.
    stage.report("True", "")
    stage.run(0.1)
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_a_first_failure_with_a_new_table_is_no_failure_yet(stage: Stage) -> None:
    """Some versions of Liqo's agent fail once with every new table, and every edit makes new ones."""
    stage.edit("allow")
    for _ in range(40):
        for key in (CHAIN, STANDIN):
            if stage.is_selected(key):
                found = stage.api.stored[firewall_path(key)].get("status", {}).get("conditions")
                stage.report(*(("True", "True") if found else ("False", "")), key=key)
        stage.watch()
        stage.run(0.2)
        stage.watch()
    assert [shown[1:] for shown in stage.shown][-3:] == [
        ("Unknown", "AgentsPending"),
        ("Unknown", "ReplacingChain"),
        ("True", "FabricSynced"),
    ]
    assert "AgentsFailed" not in {shown[2] for shown in stage.shown}


def test_a_new_table_that_goes_on_to_fail_is_a_failure(stage: Stage) -> None:
    stage.edit("allow")
    stage.run(0.1)
    stage.watch()
    stage.report("True", "False", key=STANDIN)
    begin = stage.now - 1000
    stage.run(GRACE / 2)
    assert stage.ready() == ("Unknown", "AgentsPending")
    assert message(stage).startswith(
        "1 of 2 agents (fabric-b) could not apply the chain; see the agent's log; agents try again"
    )
    stage.run(GRACE)
    assert stage.ready() == ("False", "AgentsFailed")
    assert stage.shown[-1][0] - begin == pytest.approx(GRACE, abs=0.2)
    stage.restart()
    stage.watch()
    stage.shown.clear()
    stage.run(GRACE * 2)
    assert [shown[1:] for shown in stage.shown] == [("False", "AgentsFailed")], "another process does not begin again"


def test_an_edit_of_the_policy_waits_for_the_agents(stage: Stage) -> None:
    stage.edit("allow")
    stage.report("True", "")
    stage.run(0.2)
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_an_object_that_was_created_again_is_not_enforced(stage: Stage) -> None:
    del stage.api.stored[firewall_path(CHAIN)]
    stage.tell("firewallconfigurations", CHAIN, None)
    stage.run(0.5)
    assert firewall_path(CHAIN) in stage.api.stored
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_without_agents_nothing_is_kept(stage: Stage) -> None:
    for host in HOSTS:
        stage.tell("agents", ObjectKey(AGENT, "liqo", host), None)
    stage.run(0.2)
    assert stage.ready() == ("Unknown", "NoAgents")
