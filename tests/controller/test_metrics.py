"""The metrics of the controller: well-known names, one series for each label value, and no names of a cluster."""

import re
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from liqo_connectivity.operator.controller.serving.metrics import GaugeValues, Metrics
from liqo_connectivity.rules.relations import RELATION_NAMES

WELL_KNOWN = {
    "workqueue_depth",
    "workqueue_adds_total",
    "workqueue_queue_duration_seconds",
    "workqueue_work_duration_seconds",
    "workqueue_retries_total",
    "leader_election_master_status",
    "rest_client_requests_total",
    "rest_client_request_duration_seconds",
}
SUFFIX = re.compile("(_bucket|_sum|_count|_created)$")


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_other_controllers_count_has_their_names() -> None:
    metrics = Metrics()
    metrics.request("GET", "10.96.0.1:443", "200", 0.01)
    names = {SUFFIX.sub("", name) for name, _ in samples(metrics)}
    assert names >= WELL_KNOWN
    rest = {name for name in names - WELL_KNOWN if not name.startswith(("process_", "python_", "workqueue_"))}
    assert {name for name in rest if not name.startswith("liqo_connectivity_")} <= {"rest_client_requests"}


def test_a_request_is_counted_by_code_method_and_host() -> None:
    metrics = Metrics()
    for code in ("200", "200", "409", "<error>"):
        metrics.request("PATCH", "10.96.0.1:443", code, 0.02)
    found = samples(metrics)
    labels = (("code", "200"), ("host", "10.96.0.1:443"), ("method", "PATCH"))
    assert found["rest_client_requests_total", labels] == 2
    assert found["rest_client_request_duration_seconds_count", (("host", "10.96.0.1:443"), ("verb", "PATCH"))] == 4


def test_facts_and_derived_tuples_are_counted_when_they_are_collected() -> None:
    metrics = Metrics()
    gauges = [
        GaugeValues(facts={"pod": 1}),
        GaugeValues(3, 7, {"pod": 2}, {"member": 5}, {("Ready", "True", "FabricSynced"): 1}),
    ]
    metrics.set_gauges(lambda: gauges[0])
    assert samples(metrics)["liqo_connectivity_facts", (("relation", "pod"),)] == 1
    metrics.set_gauges(lambda: gauges[1])
    found = samples(metrics)
    assert found["liqo_connectivity_facts", (("relation", "pod"),)] == 2
    assert found["liqo_connectivity_derived", (("relation", "member"),)] == 5
    ready = (("reason", "FabricSynced"), ("status", "True"), ("type", "Ready"))
    assert found["liqo_connectivity_policy_conditions", ready] == 1
    assert found["workqueue_depth", (("name", "peeringconnectivity"),)] == 3
    assert found["workqueue_adds_total", (("name", "peeringconnectivity"),)] == 7


def test_two_may_live_in_one_process() -> None:
    first, second = Metrics(), Metrics()
    first.leader.set(1)
    name = (("name", "liqo-connectivity-engine"),)
    assert samples(first)["leader_election_master_status", name] == 1
    assert samples(second)["leader_election_master_status", name] == 0


def test_no_label_names_an_object_of_the_cluster() -> None:
    """A label with a pod's name would be a time series for each pod."""
    metrics = Metrics()
    metrics.request("GET", "10.96.0.1:443", "200", 0.01)
    metrics.set_gauges(lambda: GaugeValues(facts=dict.fromkeys(RELATION_NAMES.values(), 1)))
    for labelled in (metrics.watch_restarts.labels("pods", "Gone"), metrics.applies.labels("created")):
        labelled.inc()
    labels = {label for _, found in samples(metrics) for label, _ in found}
    ours = {
        "name",
        "controller",
        "code",
        "method",
        "host",
        "verb",
        "le",
        "relation",
        "kind",
        "reason",
        "result",
        "version",
    }
    pythons = {"implementation", "major", "minor", "patchlevel", "generation"}
    assert labels <= ours | pythons


def test_the_documentation_lists_every_metric_with_its_labels() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operator.md").read_text("utf-8")
    documented: dict[str, set[str]] = {}
    for names, labels in re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|([^|]*)\|", text, re.MULTILINE):
        for name in re.findall("[a-z_]+", names):
            documented[name] = set(re.findall("[a-z]+", labels))
    metrics = Metrics()
    expected = {
        family.name.removesuffix("_total") + ("_total" if family.type == "counter" else ""): family
        for family in metrics.registry.collect()
        if not family.name.startswith(("process_", "python_"))
    }
    names = {name + ("_info" if family.type == "info" else "") for name, family in expected.items()}
    assert names == documented.keys()
    for name, labels in samples(metrics):
        told = documented.get(SUFFIX.sub("", name))
        if told is not None:
            assert {label for label, _ in labels} - {"le"} == told
