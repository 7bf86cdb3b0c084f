"""The controller asserts the labels that stored policies name, and reads no object again when they name others."""

from random import Random
from typing import Any

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.facts.base.fact import Row
from liqo_connectivity.operator.controller.state.state import State
from tests.support.manifests import Object
from tests.support.state_changes import Batch, fresh, observed, pod, policy, small, tell

KEYS = ("app", "tier", "env", "liqo.io/shadowPod")
VALUES = ("", "a", "b", "true")


def selecting(*keys: str, name: str = "guard", version: str = "2") -> Object:
    """A policy whose selectors name some keys."""
    expressions = [{"key": key, "operator": "Exists"} for key in keys]
    party: dict[str, Any] = {"namespace": "shop", "podSelector": {"matchExpressions": expressions}}
    found = policy(name, version=version)
    return {**found, "spec": {"rules": [{"action": "deny", "source": party}] if keys else []}}


def namespace(name: str, version: str = "1", **labels: str) -> Object:
    metadata = {"name": name, "resourceVersion": version, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def labels(state: State) -> set[Row]:
    return {fact.row for fact in state.facts()[1] if fact.relation in ("pod_label", "namespace_label")}


def test_a_policy_makes_facts_of_labels_that_were_seen_before_it() -> None:
    state = small(
        pod("10.0.0.5", labels={"app": "web", "tier": "gold"}),
        pod("10.0.0.6", "plain"),
        namespace("shop", tier="gold"),
    )
    assert labels(state) == set()
    tell(state, selecting("tier"))
    assert labels(state) == {("shop/web", "tier", "gold"), ("shop", "tier", "gold")}
    number = state.number
    tell(state, selecting("tier", version="3"))
    assert (state.number, len(labels(state))) == (number, 2), "the same keys"
    tell(state, selecting("app", version="4"))
    assert labels(state) == {("shop/web", "app", "web")}
    tell(state, selecting("tier", name="another"))
    assert labels(state) == {("shop/web", "app", "web"), ("shop/web", "tier", "gold"), ("shop", "tier", "gold")}
    state.apply({observed(selecting("app"))[0]: None})
    assert labels(state) == {("shop/web", "tier", "gold"), ("shop", "tier", "gold")}


def test_a_relabelled_pod_is_news_whatever_policies_name() -> None:
    """A policy may name the key in the batch that is under way."""
    state = small(pod("10.0.0.5", labels={"app": "web"}))
    for changed, is_news in (
        (pod("10.0.0.5", version="2", labels={"app": "web"}), False),
        (pod("10.0.0.5", version="2", labels={"app": "api"}), True),
        (pod("10.0.0.5", version="2"), True),
    ):
        (_, key), seen = observed(changed)
        assert state.is_news(key, seen) == is_news
    tell(state, selecting("app"))
    (_, key), seen = observed(pod("10.0.0.5", version="2", labels={"app": "web"}))
    assert not state.is_news(key, seen), "its label is a fact now, and what it says is the same"


def test_an_object_that_is_gone_leaves_no_label_behind() -> None:
    state = small(pod("10.0.0.5", labels={"app": "web"}), selecting("app"))
    state.apply({("Pod", ObjectKey("Pod", "shop", "web")): None})
    tell(state, selecting("tier", version="3"), pod("10.0.0.7", "web", version="9"))
    tell(state, selecting("app", version="4"))
    assert labels(state) == set()


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_the_labels_equal_those_of_a_new_state(seed: int) -> None:
    rng = Random(seed)
    everything = dict(map(observed, [selecting("app"), namespace("shop", app="a")]))
    state = fresh(dict(everything))
    for version in range(2, 40):
        batch: Batch = {}
        for _ in range(rng.randint(1, 3)):
            drawn = {key: rng.choice(VALUES) for key in rng.sample(KEYS, rng.randint(0, 3))}
            made = rng.choice(
                [
                    pod("10.0.0.5", rng.choice("abc"), version=str(version), labels=drawn),
                    namespace(rng.choice(["shop", "infra"]), str(version), **drawn),
                    selecting(*drawn, name=rng.choice(["guard", "other"]), version=str(version)),
                ]
            )
            at, shown = observed(made)
            batch[at] = shown if rng.random() < 0.8 else None
        state.apply(batch)
        everything.update({at: seen for at, seen in batch.items() if seen is not None})
        for at, seen in batch.items():
            if seen is None:
                everything.pop(at, None)
        if version % 13 == 0:
            assert labels(state) == labels(fresh(dict(everything)))
