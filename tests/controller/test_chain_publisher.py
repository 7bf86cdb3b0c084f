"""The writes of a publication: interrupted anywhere and repeated they converge, and no agent ever sees anything else meanwhile."""

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import AgentTable, ChainError, Incomplete, read_published
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import POLICY, StoredPolicy
from liqo_connectivity.operator.controller.writing.chain_publisher import ChainPublisher
from liqo_connectivity.operator.controller.writing.firewall_writer import WriteBlocked
from liqo_connectivity.operator.controller.writing.published_objects import API
from liqo_connectivity.operator.kube.errors import Unreachable
from tests.chains.test_publishing import POLICY as RULES
from tests.chains.test_publishing import UNIVERSE, Members, edited, tables
from tests.support.chain_layouts import GROUPS
from tests.support.published_api import PublishedApi
from tests.support.seeds import examples

TENANT = "liqo-tenant-milan"
KEY = TENANT, "milan"
NOBODY: Members = {group: set() for group in GROUPS}
CHAIN = f"{API}/namespaces/{TENANT}/connectivitychains/milan"


def owner(uid: str = "uid-a") -> StoredPolicy:
    return StoredPolicy(ObjectKey(POLICY, TENANT, "policy"), uid, "1", 1, (), False, (), 0)


def shown(api: PublishedApi) -> tuple[AgentTable, ...] | None:
    """What an agent that starts now makes of all objects; None if it has to wait."""
    found = read_published(api.objects())
    made = found.tables(KEY) if KEY in found.chains else None
    return None if made is None or isinstance(made, Incomplete) else made


@settings(max_examples=examples(100), deadline=None)
@given(st.randoms(use_true_random=False))
def test_interrupted_anywhere_it_converges_and_shows_nothing_else(rng: Random) -> None:
    api = PublishedApi()
    publisher = ChainPublisher(api, lambda: 1.7e9)
    members, policy = NOBODY, RULES
    wanted = tables(policy, members)
    last: tuple[AgentTable, ...] | None = None
    seen: list[tuple[AgentTable, ...] | None] = []

    def fault() -> None:
        seen.append(shown(api))
        if rng.random() < 0.2:
            raise Unreachable("no answer")

    for _ in range(8):
        members = edited(rng, members)
        policy = rng.sample(RULES, rng.randint(1, 3)) if rng.random() < 0.3 else policy
        wanted = tables(policy, members)
        for _ in range(rng.randint(1, 6)):
            if rng.random() < 0.3:
                publisher = ChainPublisher(api, lambda: 1.7e9)
            api.fault = fault
            try:
                publisher.publish(wanted, owner())
                break
            except Unreachable:
                continue
        assert all(each in (last, wanted, None) for each in seen)
        assert None not in seen or last is None, "what is complete stays so"
        last = shown(api)
        seen.clear()
    api.fault = lambda: None
    publisher.publish(wanted, owner())
    assert shown(api) == wanted
    found = read_published(api.objects())
    assert {name for _, name in found.slices} == {each.name for each in found.chains[KEY].slices}
    before = len(api.writes)
    assert publisher.publish(wanted, owner()) == ChainPublisher(api).publish(wanted, owner()) == "unchanged"
    assert len(api.writes) == before


def published(members: Mapping[str, set[str]]) -> tuple[PublishedApi, ChainPublisher]:
    api = PublishedApi()
    publisher = ChainPublisher(api, lambda: 1.7e9)
    assert publisher.publish(tables(RULES, members), owner()) == "published"
    return api, publisher


def test_slices_come_before_the_chain_and_surplus_ones_go_after_it() -> None:
    members: Members = {**NOBODY, "vc-remote": set(UNIVERSE[:200])}
    api, publisher = published(members)
    kinds = [(method, path.split("/")[-2]) for method, path in api.writes]
    assert kinds == [*[("create", "connectivitysetslices")] * 3, ("create", "connectivitychains")]
    api.writes.clear()
    publisher.publish(tables(RULES, {**NOBODY, "vc-local": set(UNIVERSE[:100])}), owner())
    kinds = [(method, path.split("/")[-2]) for method, path in api.writes]
    assert kinds == [
        *[("create", "connectivitysetslices")] * 2,
        ("replace", "connectivitychains"),
        *[("delete", "connectivitysetslices")] * 3,
    ]


def test_one_pod_is_one_request() -> None:
    members: Members = {**NOBODY, "vc-remote": set(UNIVERSE[:200])}
    api, publisher = published(members)
    api.writes.clear()
    members["vc-remote"].add(UNIVERSE[300])
    members["offloaded"].add(UNIVERSE[300])
    publisher.publish(tables(RULES, members), owner())
    [(method, path)] = api.writes
    assert (method, path.split("/")[-2]) == ("replace", "connectivitysetslices")


def test_every_object_is_owned_by_the_policy_and_made_again_for_another() -> None:
    api, publisher = published({**NOBODY, "vc-remote": set(UNIVERSE[:200])})
    old = read_published(api.objects())
    publisher.publish(tables(RULES, {**NOBODY, "vc-remote": set(UNIVERSE[:200])}), owner("uid-b"))
    new = read_published(api.objects())
    assert not old.slices.keys() & new.slices.keys()
    assert new.chains[KEY].revision > old.chains[KEY].revision
    owners = [each["metadata"]["ownerReferences"] for each in api.objects()]
    assert {(each["kind"], each["name"], each["uid"]) for [each] in owners} == {(POLICY, "policy", "uid-b")}


def test_revisions_rise_when_a_chain_is_made_again_and_when_the_clock_goes_back() -> None:
    members: Members = {**NOBODY, "vc-remote": set(UNIVERSE[:3])}
    api, publisher = published(members)
    first = read_published(api.objects()).chains[KEY].revision
    assert first == 1_700_000_000_000
    publisher.withdraw(*KEY)
    assert api.objects() == []
    assert api.writes[-2:] == [
        ("delete", CHAIN),
        ("delete", CHAIN.replace("chains/milan", f"setslices/milan-{first}-0")),
    ]
    ChainPublisher(api, lambda: 1.8e9).publish(tables(RULES, members), owner())
    assert read_published(api.objects()).chains[KEY].revision == 1_800_000_000_000
    ChainPublisher(api, lambda: 1.0).publish(tables(RULES[:1], members), owner())
    assert read_published(api.objects()).chains[KEY].revision == 1_800_000_000_001


def test_what_others_alter_or_delete_is_published_again() -> None:
    members: Members = {**NOBODY, "vc-remote": set(UNIVERSE[:200])}
    wanted = tables(RULES, members)
    api, publisher = published(members)
    path = next(at for at in sorted(api.stored) if "setslices" in at)
    alterations = (
        lambda: api.stored[path]["spec"]["members"][0]["addresses"].pop(),
        lambda: api.stored.pop(next(at for at in sorted(api.stored) if "setslices" in at)),
        lambda: api.stored[CHAIN]["spec"]["tables"][0]["rules"].pop(),
        lambda: api.stored.pop(CHAIN),
    )
    for alter in alterations:
        alter()
        publisher.forget(*KEY)
        assert publisher.publish(wanted, owner()) == "published"
        assert shown(api) == wanted


def test_a_chain_of_somebody_else_is_left_alone() -> None:
    api, publisher = published(NOBODY)
    api.stored[CHAIN]["metadata"]["labels"] = {}
    publisher.forget(*KEY)
    with pytest.raises(WriteBlocked, match="so it is not ours and is left alone"):
        publisher.publish(tables(RULES[:1], NOBODY), owner())
    publisher.withdraw(*KEY)
    assert CHAIN in api.stored
    api.stored[CHAIN]["metadata"] |= {
        "labels": {"app.kubernetes.io/managed-by": "liqo-connectivity-engine"},
        "deletionTimestamp": "2026-12-01T10:00:00Z",
    }
    with pytest.raises(WriteBlocked, match="is still being deleted"):
        publisher.publish(tables(RULES[:1], NOBODY), owner())


def test_what_does_not_fit_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liqo_connectivity.chains.published.chain_object.MAX_OBJECT_BYTES", 100)
    api = PublishedApi()
    with pytest.raises(ChainError, match="bytes, more than the 100 that fit"):
        ChainPublisher(api).publish(tables(RULES, {**NOBODY, "offloaded": {UNIVERSE[0]}}), owner())
    assert api.objects() == []
