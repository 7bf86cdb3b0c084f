"""An edit while nodes are down, agents restart, objects do not go, and processes write that do not lead any more."""

from copy import deepcopy
from dataclasses import replace

import pytest

from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.writing.firewall_writer import FirewallWriter
from liqo_connectivity.operator.controller.writing.members import refresh_members
from liqo_connectivity.operator.controller.writing.object_client import firewall_path
from liqo_connectivity.operator.kube.errors import Conflict, Unreachable
from tests.support.controller_stage import CHAIN, GUARD, STANDIN, TENANT, Stage
from tests.support.edit_steps import KEYS, actions, edited, elements, message, progress, states
from tests.support.manifests import Object

TIMEOUT = Settings().agent_timeout


@pytest.fixture
def stage() -> Stage:
    return edited()


def test_a_node_that_is_down_does_not_keep_an_edit_from_the_others(stage: Stage) -> None:
    stage.agent("fabric-b", "node-b", away=True)
    stage.edit("allow")
    for _ in range(int(TIMEOUT) - 2):
        progress(stage, "fabric-b", seconds=1.0)
    assert actions(stage) == ("drop", "accept")
    for _ in range(3 * int(TIMEOUT)):
        progress(stage, "fabric-b", seconds=1.0)
    assert actions(stage) == ("accept", "none")
    assert stage.ready() == ("Unknown", "AgentsPending")
    assert message(stage) == "1 of 2 agents (fabric-b) have not reported yet"


def test_an_agent_that_restarts_is_waited_for(stage: Stage) -> None:
    stage.agent("fabric-b", "node-b")
    stage.run(0.1)
    stage.agent("fabric-b", "node-b", live=False)
    stage.edit("allow")
    for _ in range(10):
        progress(stage, "fabric-b", seconds=1.0)
    assert actions(stage) == ("drop", "accept")
    stage.agent("fabric-c", "node-b")
    stage.run(1.0)
    assert actions(stage) == ("drop", "accept")
    for key in KEYS:
        stage.report("True", "", "True", key=key)
    stage.run(0.2)
    assert actions(stage)[0] == "empty"


def test_a_standin_enforces_nothing_before_it_is_filled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What creates it may arrive when another process leads, and nothing can guard a creation."""
    whole, sent = stage.api.apply, list[str]()

    def fails(path: str, body: object, *, force: bool, partial: bool = False) -> Object:
        if path == firewall_path(STANDIN):
            sent.append(path)
            if len(sent) > 1:
                raise Unreachable("it is killed here")
        return whole(path, body, force=force, partial=partial)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(stage.api, "apply", fails)
    uid = stage.api.stored[firewall_path(CHAIN)]["metadata"]["uid"]
    stage.edit("allow")
    stage.run(0.05)
    created = stage.api.stored[firewall_path(STANDIN)]
    assert created["spec"]["table"]["chains"] == []
    assert not any(label.startswith("networking.liqo.io/") for label in created["metadata"]["labels"])
    monkeypatch.undo()
    # Of the process that leads now, the policy is as it was before.
    stage.edit("deny")
    stage.restart()
    stage.shown.clear()
    for _ in range(20):
        progress(stage)
    assert actions(stage) == ("drop", "none")
    assert [(status, reason) for _, status, reason in stage.shown] == [("True", "FabricSynced")]
    assert stage.api.stored[firewall_path(CHAIN)]["metadata"]["uid"] == uid


def test_what_creates_an_object_never_changes_one(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    before = {key: stage.api.get(firewall_path(key)) for key in KEYS}
    writer = FirewallWriter(stage.api)
    for key in KEYS:
        desired = stage.state.desired.firewall("milan", standin=key == STANDIN)
        policy = stage.state.policies[GUARD]
        with pytest.raises(Conflict):
            writer.write(desired, policy, None)
        with pytest.raises(Conflict):
            writer.create_beside(desired, policy)
    assert {key: stage.api.get(firewall_path(key)) for key in KEYS} == before


def test_an_object_that_does_not_go_is_named_when_the_next_edit_waits_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(path: str, *, uid: str, resource_version: str | None = None) -> Object:
        stage.api.stored[path]["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
        return stage.api.get(path)

    monkeypatch.setattr(stage.api, "delete", held)
    stage.edit("allow")
    for _ in range(40):
        progress(stage)
    assert actions(stage) == ("empty", "accept")
    assert stage.ready() == ("True", "FabricSynced"), "the stand-in holds the policy's chain"
    stage.edit("deny", {"action": "deny", "source": {"namespace": "other"}})
    for _ in range(40):
        progress(stage, seconds=1.0)
    assert actions(stage) == ("empty", "accept")
    assert stage.ready() == ("False", "FabricSyncFailed")
    assert message(stage) == (
        f"FirewallConfiguration {TENANT}/milan-connectivity is still being deleted and is created again afterwards; the last "
        "enforced chain stays in place"
    )
    monkeypatch.undo()
    del stage.api.stored[firewall_path(CHAIN)]
    states(stage, until=("drop", "none"))
    assert stage.ready() == ("True", "FabricSynced")


def test_members_of_an_earlier_chain_are_not_lost_when_their_set_is_split(stage: Stage) -> None:
    """With one more set, addresses move to it that the earlier chain looks for in the first."""
    desired = stage.state.desired.firewall("milan")
    (held,) = desired.body["spec"]["table"]["sets"]
    spec = deepcopy(desired.body["spec"])
    base = held["name"].rpartition(".")[0]
    spec["table"]["sets"] = [
        {**held, "elements": []},
        {**held, "name": f"{base}.1", "elements": [{"key": "10.244.9.9"}]},
    ]
    split = replace(desired, body={**desired.body, "spec": spec})
    before = stage.api.get(firewall_path(CHAIN))
    refresh_members(stage.api, CHAIN, split)
    assert stage.api.get(firewall_path(CHAIN)) == before
    spec["table"]["sets"] = [{**held, "elements": [{"key": "10.244.9.9"}]}]
    refresh_members(stage.api, CHAIN, split)
    assert elements(stage)[0] == ["10.244.9.9"]


@pytest.mark.parametrize("kind", ["scope", "scoped", "gathered"])
def test_an_earlier_chain_keeps_the_members_that_its_own_policy_gave_it(stage: Stage, kind: str) -> None:
    """With the scope of the new policy, the earlier one would drop what both allow."""
    desired = stage.state.desired.firewall("milan")
    (held,) = desired.body["spec"]["table"]["sets"]
    name = f"{kind}.{held['name'].partition('.')[2]}"
    stage.api.stored[firewall_path(CHAIN)]["spec"]["table"]["sets"][0]["name"] = name
    spec = deepcopy(desired.body["spec"])
    spec["table"]["sets"] = [{**held, "name": name, "elements": [{"key": "10.244.9.9"}]}]
    before = stage.api.get(firewall_path(CHAIN))
    refresh_members(stage.api, CHAIN, replace(desired, body={**desired.body, "spec": spec}))
    assert stage.api.get(firewall_path(CHAIN)) == before
