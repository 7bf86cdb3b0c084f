"""An edit of a policy goes by way of a stand-in: what is stored, and what a status says."""

import pytest

from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from liqo_connectivity.operator.controller.writing.object_client import firewall_path, policy_path
from liqo_connectivity.operator.controller.writing.preview import previews
from liqo_connectivity.rules.relations import Flow
from tests.support.clusters import solve
from tests.support.controller_stage import CHAIN, GUARD, STANDIN, TENANT, Stage, network
from tests.support.edit_steps import KEYS, actions, edited, elements, message, progress, states
from tests.support.manifests import Object


@pytest.fixture
def stage() -> Stage:
    return edited()


EDIT = [
    ("drop", "none"),
    ("drop", "accept"),
    ("empty", "accept"),
    ("none", "accept"),
    ("accept", "accept"),
    ("accept", "empty"),
    ("accept", "none"),
]
"""What is stored while a policy that denies becomes one that allows."""


def test_an_edit_goes_by_way_of_a_standin(stage: Stage) -> None:
    stage.edit("allow")
    seen = states(stage, until=EDIT[-1])
    assert seen == [each for each in EDIT if each in seen]
    assert {EDIT[1], EDIT[4]} <= set(seen), "what goes is covered by the other, and may be gone between two looks"
    stage.run(1)
    assert actions(stage) == EDIT[-1]
    reasons = [reason for _, _, reason in stage.shown]
    assert reasons == ["AgentsPending", "ReplacingChain", "FabricSynced"]


def test_the_table_of_a_standin_has_another_name_and_the_same_rules(stage: Stage) -> None:
    stage.edit("allow")
    states(stage, until=("accept", "accept"))
    first, standin = stage.chain(CHAIN), stage.chain(STANDIN)
    assert first is not None
    assert standin is not None
    assert (first["name"], standin["name"]) == ("connectivity-milan", "standin-milan")
    assert {**first, "name": ""} == {**standin, "name": ""}
    labels = [stage.api.stored[firewall_path(key)]["metadata"]["labels"] for key in KEYS]
    assert labels[0] == labels[1]


def test_pods_change_no_rules_and_so_need_no_standin(stage: Stage) -> None:
    stage.pod(2)
    stage.run(0.5)
    assert actions(stage) == ("drop", "none")
    assert elements(stage) == [["10.244.1.1", "10.244.1.2"], None]


def test_an_agent_that_does_not_report_keeps_both_chains(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(100):
        progress(stage, "fabric-b", seconds=1.0)
    assert actions(stage) == ("drop", "accept")
    assert stage.ready() == ("Unknown", "AgentsPending")
    assert message(stage) == (
        "1 of 2 agents (fabric-b) have not reported yet; the chain before stays until then, and meanwhile only what both "
        "allow passes"
    )
    assert stage.loop.quiescent, "it waits for a report, and for nothing else"
    states(stage, until=EDIT[-1])


def test_both_chains_know_new_pods(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    stage.pod(2)
    for _ in range(5):
        progress(stage, "fabric-b")
    assert actions(stage) == ("drop", "accept")
    assert elements(stage) == [["10.244.1.1", "10.244.1.2"]] * 2


def test_an_edit_that_is_taken_back_ends_as_it_began(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    assert actions(stage) == ("drop", "accept")
    uid = stage.api.stored[firewall_path(CHAIN)]["metadata"]["uid"]
    stage.edit("deny")
    assert ("none", "accept") not in states(stage, until=("drop", "none"))
    assert stage.api.stored[firewall_path(CHAIN)]["metadata"]["uid"] == uid, "it was never removed"


def test_an_edit_during_an_edit_is_stored_in_the_end(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    stage.edit("deny", {"action": "allow", "source": {"namespace": "other"}})
    for _ in range(200):
        before = actions(stage)
        progress(stage)
        assert "drop" in actions(stage), f"nothing enforces what both policies deny, after {before}"
    assert actions(stage) == ("drop", "none")
    table = stage.chain(CHAIN)
    assert table is not None
    assert [rule["action"] for rule in table["chains"][0]["rules"]["filterRules"]].count("accept") == 2


@pytest.mark.parametrize("way", [("deny", "allow"), ("allow", "deny")])
def test_a_controller_that_is_killed_after_every_step_ends_there_too(stage: Stage, way: tuple[str, str]) -> None:
    verdicts = {"deny": "drop", "allow": "accept"}
    old, new = (verdicts[each] for each in way)
    stage.edit(way[0])
    states(stage, until=(old, "none"))
    stage.edit(way[1])
    seen = [actions(stage)]
    for _ in range(300):
        stage.restart()
        progress(stage, seconds=0.05)
        # What is due only after a while is so again for every new process.
        stage.run(2.5)
        if actions(stage) != seen[-1]:
            seen.append(actions(stage))
        if seen[-1] == (new, "none"):
            break
    assert seen[-1] == (new, "none")
    assert all(new in each or old in each for each in seen)
    assert stage.ready() == ("True", "FabricSynced")


def test_a_policy_that_is_pending_meanwhile_keeps_both(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    stage.put(network(ready=False))
    for _ in range(30):
        progress(stage)
    assert actions(stage) == ("drop", "accept")
    assert stage.ready() == ("False", "NetworkNotReady")
    assert message(stage).endswith("; the last enforced chain stays in place")
    stage.put(network())
    states(stage, until=EDIT[-1])


def test_both_objects_go_with_their_policy(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    path = policy_path(GUARD)
    stage.api.stored[path]["metadata"] |= {"deletionTimestamp": "2026-01-02T00:00:00Z", "resourceVersion": "5000"}
    for _ in range(100):
        progress(stage)
    assert actions(stage) == ("none", "none")
    assert not stage.api.stored[path]["metadata"].get("finalizers")


def test_a_standin_of_somebody_else_is_left_alone_and_named(stage: Stage) -> None:
    foreign: Object = {"metadata": {"name": STANDIN.name, "namespace": TENANT, "uid": "x"}, "spec": {"table": {}}}
    stage.api.stored[firewall_path(STANDIN)] = foreign
    stage.edit("allow")
    stage.run(5)
    assert stage.api.stored[firewall_path(STANDIN)] == foreign
    assert stage.ready() == ("False", "FabricSyncFailed")
    assert message(stage) == (
        f"FirewallConfiguration {TENANT}/milan-connectivity-standin exists without the label app.kubernetes.io/managed-by="
        "liqo-connectivity-engine, so it is not ours and is left alone; delete it to have the policy enforced; the last "
        "enforced chain stays in place"
    )
    del stage.api.stored[firewall_path(STANDIN)]
    states(stage, until=EDIT[-1])


def test_a_dry_run_shows_the_end_of_an_edit_under_way(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    first, standin = previews(stage.state, stage.api)
    assert (first.key, standin.key) == KEYS
    assert any(line.startswith("-") and "action: drop" in line for line in first.lines)
    assert all(line.startswith("-") for line in standin.lines[3:])


def test_the_state_knows_a_standin_by_its_peering(stage: Stage) -> None:
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    rows = {tuple(fact.row) for fact in stage.loop.facts()[1] if fact.relation == "firewall_configuration"}
    assert rows == {(f"{TENANT}/{key.name}", TENANT, "milan", f"{TENANT}/guard") for key in KEYS}


def test_why_says_that_the_earlier_chain_may_drop_what_the_new_policy_allows(stage: Stage) -> None:
    def spots() -> list[tuple[object, ...]]:
        base = FactBase()
        base.replace(CHAIN, stage.loop.facts()[1])
        return [row for row in solve(base, ("blind_spot",), [flow]).rows("blind_spot") if row[1] == "ReplacingChain"]

    flow = Flow("0", "10.244.1.1", "10.71.0.9", "new")
    assert spots() == []
    stage.edit("allow")
    for _ in range(5):
        progress(stage, "fabric-b")
    assert spots() == [("0", "ReplacingChain", FIREWALL, f"{TENANT}/{key.name}", "milan") for key in KEYS]
    states(stage, until=EDIT[-1])
    progress(stage)
    assert spots() == []


def test_a_write_that_is_altered_is_no_reason_to_replace_anything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admission webhook drops a rule of whatever is written."""
    whole = stage.api.apply

    def altered(path: str, body: object, *, force: bool, partial: bool = False) -> Object:
        made = whole(path, body, force=force, partial=partial)  # type: ignore[arg-type]  # as it was given
        if "firewallconfigurations" not in path or path.endswith("/status"):
            return made
        for chain in stage.api.stored[path]["spec"]["table"]["chains"]:
            chain["rules"]["filterRules"][1:] = []
        return stage.api.get(path)

    monkeypatch.setattr(stage.api, "apply", altered)
    stage.edit("allow")
    uids: set[str] = set()
    for _ in range(40):
        progress(stage, seconds=1.0)
        found = stage.api.stored.get(firewall_path(STANDIN))
        if found is not None:
            uids.add(str(found["metadata"]["uid"]))
    assert actions(stage)[0] == "drop", "the chain before stays"
    assert len(uids) == 1, "it is not created over and over"
    assert stage.ready() == ("False", "FabricSyncFailed")
