"""What a policy shows: which condition a reason makes False, what the message says, and when the time moves."""

from random import Random

import pytest

from liqo_connectivity.facts import Fact, FactBase, ObjectKey
from liqo_connectivity.facts.extraction.controller_facts import enforcing
from liqo_connectivity.operator.controller.objects.agent_reports import ConditionState
from liqo_connectivity.operator.controller.objects.stored import POLICY, Condition, Observed, stored_policy
from liqo_connectivity.operator.controller.state.policy_outcome import PolicyOutcome, PolicyOutcomes
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.writing import conditions
from liqo_connectivity.operator.controller.writing.conditions import StoredChain, dated, deletion_failed
from liqo_connectivity.operator.explain import reasons
from tests.support.clusters import facts_of, program
from tests.support.descriptions import Cluster
from tests.support.manifests import Object, objects
from tests.support.random_clusters import cluster

CRD = objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))[0]
TENANT = "liqo-tenant-milan"
GUARD = ObjectKey(POLICY, TENANT, "guard")
GOOD = ConditionState("True", "Enforced", "2 of 2 agents report that they have applied the chain")
STORED = StoredChain(f"{TENANT}/milan-connectivity", "", stays=True, agents=GOOD)
NOTHING = StoredChain("", "", stays=False, agents=GOOD)


def policy(
    name: str = "guard", namespace: str = TENANT, created: str = "2026-01-01T00:00:00Z", **rule: object
) -> Object:
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": POLICY,
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "spec": {"rules": [{"action": "deny", **rule}]},
    }


def network(cidr: str | None = "10.71.0.0/16") -> Object:
    labels = {"liqo.io/remote-cluster-id": "milan", "configuration.liqo.io/cidr-type": "pod"}
    return {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"name": "milan-pod", "namespace": TENANT, "labels": labels},
        "spec": {"cidr": "10.244.0.0/16"},
        "status": {"cidr": cidr} if cidr else {},
    }


def foreign_cluster(role: str) -> Object:
    return {
        "apiVersion": "core.liqo.io/v1beta1",
        "kind": "ForeignCluster",
        "metadata": {"name": "milan"},
        "spec": {"clusterID": "milan"},
        "status": {"role": role},
    }


def state_of(*found: Object) -> State:
    state = State(program())
    batch = {}
    for one in found:
        key, facts = facts_of(one)
        batch[one["kind"], key] = Observed(facts, stored_policy(one) if one["kind"] == POLICY else None)
    state.apply(batch)
    return state


def shown(outcome: PolicyOutcome, storage: StoredChain = STORED) -> dict[str, tuple[str, str]]:
    found = conditions.conditions(outcome, storage)
    return {kind: (each.status, each.reason) for kind, each in zip(conditions.TYPES, found, strict=True)}


def told(
    state: State, key: ObjectKey = GUARD, storage: StoredChain = STORED
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """The conditions of a policy, and their messages."""
    outcome = PolicyOutcomes(state).of(key)
    return shown(outcome, storage), [each.message for each in conditions.conditions(outcome, storage)]


def test_a_policy_that_is_enforced() -> None:
    found, messages = told(state_of(CRD, network(), policy()))
    assert found == {
        "Accepted": ("True", "Accepted"),
        "Programmed": ("True", "Programmed"),
        "Enforced": ("True", "Enforced"),
        "Ready": ("True", "FabricSynced"),
    }
    assert messages[:2] == [
        "the policy governs peering milan",
        f"FirewallConfiguration {TENANT}/milan-connectivity holds the policy's chain",
    ]


@pytest.mark.parametrize(
    ("found", "condition", "reason", "part"),
    [
        ([CRD, policy()], "Programmed", "NoRemoteNetwork", "Peering milan"),
        ([CRD, policy(), network(None)], "Programmed", "NetworkNotReady", f"Network {TENANT}/milan-pod"),
        (
            [policy(), network()],
            "Programmed",
            "UnsupportedLiqo",
            "the installed Liqo lacks what chains need, as does every release up to v1.2.0 (the definition, and with it sets and ctstate)",
        ),
        (
            [objects(Cluster(firewall_fields=frozenset({"ctstate"})))[0], policy(), network()],
            "Programmed",
            "UnsupportedLiqo",
            "the installed Liqo lacks what chains need, as does every release up to v1.2.0 (sets)",
        ),
        (
            [CRD, network(), policy(source={"group": "vc-remotes"})],
            "Accepted",
            "InvalidPolicy",
            "InvalidPolicy: /spec/rules/0/source: there is no such group (the groups are internet, local-cluster, ",
        ),
        (
            [CRD, network(), policy(action="reject")],
            "Accepted",
            "InvalidPolicy",
            "InvalidPolicy: /spec/rules/0/action: an action is allow or deny",
        ),
        (
            [CRD, network(), policy(), policy("older", created="2025-01-01T00:00:00Z")],
            "Accepted",
            "Conflict",
            f"PeeringConnectivity {TENANT}/older: another policy governs this peering",
        ),
        (
            [CRD, network(), policy(action=7)],
            "Accepted",
            "ObjectUnreadable",
            "/spec/rules/0/action: 7 must be a string",
        ),
    ],
)
def test_which_condition_a_reason_makes_false(found: list[Object], condition: str, reason: str, part: str) -> None:
    state = state_of(*found)
    kinds, messages = told(state)
    assert kinds[condition] == kinds["Ready"] == ("False", reason)
    assert part in messages[list(kinds).index(condition)]
    assert messages[-1] == messages[list(kinds).index(condition)], "Ready says the same"
    if condition == "Accepted":
        assert kinds["Programmed"] == ("False", reason)
    assert kinds["Enforced"] == ("Unknown", "NotProgrammed")


def test_a_policy_outside_of_a_tenant_namespace_is_not_accepted() -> None:
    found, messages = told(state_of(CRD, policy(namespace="shop")), ObjectKey(POLICY, "shop", "guard"))
    assert found["Accepted"] == ("False", "ClusterIDExtractionFailed")
    assert "Namespace shop" in messages[0]


def test_another_policy_that_cannot_be_read_is_no_fault_of_this_one() -> None:
    found, messages = told(state_of(CRD, network(), policy(), policy("broken", action=7)))
    assert found["Accepted"] == ("True", "Accepted")
    assert found["Programmed"] == ("False", "ObjectUnreadable")
    assert "PeeringConnectivity liqo-tenant-milan/broken" in messages[1]


def test_fields_that_a_released_liqo_lacks_are_named_in_one_sentence() -> None:
    released = objects(Cluster(firewall_fields=frozenset()))[0]
    _, messages = told(state_of(released, network(), policy()), storage=NOTHING)
    assert messages[1].count("UnsupportedLiqo") == messages[1].count("CustomResourceDefinition") == 1
    assert messages[1].endswith(" (ctstate; sets)")


def test_the_last_chain_stays_only_where_there_is_one() -> None:
    state = state_of(CRD, network(None), policy())
    assert told(state, storage=STORED)[1][1].endswith("; the last enforced chain stays in place")
    assert "stays" not in told(state, storage=NOTHING)[1][1]


def test_the_role_of_the_other_cluster_is_a_warning() -> None:
    state = state_of(CRD, network(), policy(source={"group": "offloaded"}), foreign_cluster("Provider"))
    found, messages = told(state)
    assert found["Ready"] == ("True", "FabricSynced")
    assert "RoleMismatch" in messages[0]
    assert "(offloaded)" in messages[0]
    state = state_of(CRD, network(), policy(source={"group": "offloaded"}), foreign_cluster("ConsumerAndProvider"))
    assert "RoleMismatch" not in told(state)[1][0]


def test_an_unknown_field_of_a_stored_policy_is_named_with_the_nearest_one() -> None:
    misspelt = {**policy(), "spec": {"rules": [{"action": "deny", "from": {"group": "remote-cluster"}}]}}
    found, messages = told(state_of(CRD, network(), misspelt))
    assert found["Accepted"] == ("False", "InvalidPolicy")
    assert messages[0].startswith("InvalidPolicy: /spec/rules/0/from: there is no such field (did you mean source? ")
    assert messages[1].endswith("; the last enforced chain stays in place")


def test_a_namespace_that_does_not_exist_is_a_warning_of_its_policy() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    found, messages = told(state_of(CRD, network(), namespace, policy(source={"namespace": "shoop"})))
    assert found["Ready"] == ("True", "FabricSynced")
    assert messages[0].split("; ")[1].startswith("NamespaceUnknown: ")
    assert (
        "NamespaceWithoutPods" in told(state_of(CRD, network(), namespace, policy(source={"namespace": "shop"})))[1][0]
    )


def test_what_came_of_writing() -> None:
    good = PolicyOutcome(peering="milan")
    denied = StoredChain("t/m", "admission webhook denied it", stays=True, agents=GOOD)
    found = conditions.conditions(good, denied)
    assert shown(good, denied)["Programmed"] == ("False", "FabricSyncFailed") == shown(good, denied)["Ready"]
    assert found[1].message == "admission webhook denied it; the last enforced chain stays in place"
    waiting = StoredChain(
        "t/m",
        "",
        stays=True,
        agents=ConditionState("Unknown", "AgentsPending", "1 of 2 agents (b) have not reported yet"),
    )
    assert shown(good, waiting)["Ready"] == ("Unknown", "AgentsPending")
    failed = StoredChain("t/m", "", stays=True, agents=ConditionState("False", "AgentsFailed", "..."))
    assert shown(good, failed)["Ready"] == ("False", "AgentsFailed")


def test_many_reasons_are_counted_and_bounded() -> None:
    outcome = PolicyOutcome(waiting=tuple(("ObjectUnreadable", "Pod", f"shop/p{n}", "x" * 300) for n in range(40)))
    (_, programmed, _, _) = conditions.conditions(outcome, STORED)
    assert len(programmed.message) < 2100
    outcome = PolicyOutcome(waiting=tuple(("ObjectUnreadable", "Pod", f"shop/p{n}", "x") for n in range(40)))
    assert "; and 35 more" in conditions.conditions(outcome, STORED)[1].message


def test_names_of_tenants_forge_no_lines() -> None:
    outcome = PolicyOutcome(waiting=(("ObjectUnreadable", "Pod", "shop/web", "bad\nReady: True \x1b[2J"),))
    assert all(message.isprintable() for message in (each.message for each in conditions.conditions(outcome, STORED)))


# ---- Time ----


def old(status: str, kind: str = "Ready") -> Condition:
    return Condition(kind, status, "Before", "before", 1, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(("before", "moves"), [("True", False), ("False", True), ("Unknown", True)])
def test_the_time_moves_only_with_the_status(before: str, moves: bool) -> None:
    reports = conditions.conditions(PolicyOutcome(peering="milan"), STORED)
    made = {each.type: each for each in dated(reports, [old(before)], 2, "2026-02-02T00:00:00Z")}
    assert made["Ready"].last_transition_time == ("2026-02-02T00:00:00Z" if moves else "2026-01-01T00:00:00Z")
    assert made["Ready"].observed_generation == 2
    assert made["Accepted"].last_transition_time == "2026-02-02T00:00:00Z", "it was not there before"


def test_a_deletion_that_fails_shows_in_ready_alone() -> None:
    before = [old("True", kind) for kind in conditions.TYPES] + [old("True", "OfSomebodyElse")]
    made = deletion_failed(before, "webhook down", 3, "2026-02-02T00:00:00Z")
    assert {each.type: (each.status, each.reason) for each in made} == {
        "Accepted": ("True", "Before"),
        "Programmed": ("True", "Before"),
        "Enforced": ("True", "Before"),
        "Ready": ("False", "DeletionFailed"),
    }
    again = deletion_failed(made, "webhook down", 3, "2026-03-03T00:00:00Z")
    assert again == made, "nothing new to write"


# ---- All reasons ----


@pytest.mark.parametrize("seed", range(40))
def test_every_pending_policy_shows_why_and_every_other_has_a_chain(seed: int) -> None:
    found = objects(cluster(Random(seed)))
    if not any(one["kind"] == "CustomResourceDefinition" for one in found):
        found = [*found, CRD]
    state = state_of(*found)
    outcomes = PolicyOutcomes(state)
    chains = {row[2] for row in state.rows("writable")}
    for key, stored in state.policies.items():
        outcome = outcomes.of(key)
        if stored.deleting:
            continue
        kinds, messages = told(state, key)
        enforced = not outcome.refused and not outcome.waiting
        assert (f"{key.namespace}/{key.name}" in chains) == enforced
        assert (kinds["Ready"][0] == "True") == enforced
        for reason, *_ in (*outcome.refused, *outcome.waiting):
            assert reason in reasons.REASONS
        assert all(messages)


def base_with(*facts: Fact) -> FactBase:
    base = FactBase()
    base.replace(facts[0].source.key, facts)
    return base


def test_a_controller_says_that_it_enforces() -> None:
    """So that a dump of its state, and what is explained from it, wait for the definition as well."""
    facts = state_of().facts()[1]
    assert facts == enforcing("liqo-connectivity-engine")
    assert base_with(*facts).rows("enforcing") == {("firewallconfigurations.networking.liqo.io",)}
