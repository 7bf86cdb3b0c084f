"""Of the labels of Pods and Namespaces, those are facts whose key a selector names, in whatever order objects come."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from liqo_connectivity.facts import Collector, FixedLine, Origin, Reading, jsonl_lines, read, write_folder
from liqo_connectivity.facts.base.fact import Row, segments

LABELS = {"app": "web", "example.com/tier": "gold", "empty": "", "other": "x"}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": LABELS},
}
NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "uid": "n", "labels": LABELS},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "labels": LABELS},
}


def policy(name: str, *keys: str) -> dict[str, Any]:
    """A policy whose selectors name keys, which may have any value."""
    expressions = [{"key": key, "operator": "Exists"} for key in keys]
    party = {"namespace": "shop", "podSelector": {"matchExpressions": expressions}}
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": name, "namespace": "liqo-tenant-milan"},
        "spec": {"rules": [{"action": "allow", "source": party}] if keys else []},
    }


def reading(*found: object) -> Reading:
    collector = Collector()
    for number, each in enumerate(found):
        collector.add_document(each, Origin(f"{number}.json", FixedLine(1)))
    return collector.reading()


def labels(read: Reading) -> set[Row]:
    return {*read.base.rows("pod_label"), *read.base.rows("namespace_label")}


EVERY = {"app": "web", "example.com/tier": "gold", "empty": ""}


@pytest.mark.parametrize("seed", range(6))
def test_the_labels_that_some_policy_names_are_facts(seed: int) -> None:
    found = [POD, NAMESPACE, SERVICE, policy("a", "app", "absent"), policy("b", "example.com/tier", "empty", "app")]
    Random(seed).shuffle(found)
    made = reading(*found)
    assert made.base.rows("pod_label") == {("shop/web", key, value) for key, value in EVERY.items()}
    assert made.base.rows("namespace_label") == {("shop", key, value) for key, value in EVERY.items()}
    for fact in made.base.facts():
        if fact.relation.endswith("_label"):
            assert (*segments(fact.field), fact.value) == ("metadata", "labels", fact.row[1], fact.row[2])
            assert fact.source.uid in ("u", "n")


def test_without_a_selector_no_label_is_a_fact() -> None:
    assert labels(reading(POD, NAMESPACE, policy("a"))) == set()


def test_objects_that_differ_in_a_label_contradict_each_other_if_a_policy_names_it() -> None:
    other = {**POD, "metadata": {**POD["metadata"], "labels": {**LABELS, "other": "y"}}}
    assert labels(reading(POD, other, policy("a", "app"))) == {("shop/web", "app", "web")}
    contradiction = reading(POD, other, policy("a", "other"))
    assert [problem.message.split(",")[0] for problem in contradiction.problems] == ["different objects have this name"]
    assert labels(contradiction) == set()


def test_a_label_that_is_no_text_makes_its_object_unreadable() -> None:
    for item in (POD, NAMESPACE):
        broken = reading({**item, "metadata": {**item["metadata"], "labels": {"version": 1}}})
        assert [problem.text for problem in broken.problems] == ["/metadata/labels/version: 1 must be a string"]


# ---- Dumps ----


def dumped(folder: Path, *found: object) -> tuple[Path, Path]:
    """A dump of objects in both forms."""
    base = reading(*found).base
    lines, relations = folder / "facts.jsonl", folder / "facts"
    lines.write_text("".join(line + "\n" for line in jsonl_lines(base)))
    write_folder(base, relations)
    return lines, relations


def test_a_dump_holds_the_labels_that_its_policies_name(tmp_path: Path) -> None:
    for path in dumped(tmp_path, POD, NAMESPACE, policy("a", "app", "empty")):
        made = read([path])
        assert made.problems == ()
        assert labels(made) == {
            (name, key, value) for name in ("shop/web", "shop") for key, value in (("app", "web"), ("empty", ""))
        }


def test_a_dump_and_the_objects_that_it_was_made_of_agree(tmp_path: Path) -> None:
    path, _ = dumped(tmp_path, POD, policy("a", "app"))
    again = tmp_path / "pod.json"
    again.write_text(json.dumps(POD))
    made = read([path, again])
    assert made.problems == ()
    assert labels(made) == {("shop/web", "app", "web")}


def test_a_policy_that_names_other_labels_than_a_dump_holds_leaves_everything_unknown(tmp_path: Path) -> None:
    """A deny whose selector matches no Pod, for lack of labels, would let through what it is there to stop."""
    other = tmp_path / "policy.json"
    other.write_text(json.dumps(policy("b", "app", "example.com/tier")))
    for path in dumped(tmp_path, POD, policy("a", "app")):
        made = read([path, other])
        [problem] = made.problems
        assert problem.message == "does not hold the labels example.com/tier, which a policy names"
        [(kind, namespace, name, _)] = made.base.rows("unreadable")
        assert (kind, namespace, name) == ("", "", "")


def test_a_dump_without_pods_and_namespaces_lacks_no_label(tmp_path: Path) -> None:
    lines, _ = dumped(tmp_path, SERVICE)
    other, pod = tmp_path / "policy.json", tmp_path / "pod.json"
    other.write_text(json.dumps(policy("b", "app")))
    pod.write_text(json.dumps(POD))
    assert read([lines, other, pod]).problems == ()
