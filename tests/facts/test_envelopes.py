"""What kubectl and an API server write around objects is opened; what they write in place of objects is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from liqo_connectivity.facts import Reading
from tests.support.manifest_files import lines, read_text

N1: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "uid": "u1", "resourceVersion": "7"},
}
N2: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}}


def read_json(folder: Path, *documents: object, name: str = "a.json", indent: int | None = None) -> Reading:
    return read_text(folder, "\n".join(json.dumps(each, indent=indent) for each in documents), name)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.yaml", "a"])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_documents_after_each_other(tmp_path: Path, name: str, indent: int | None) -> None:
    reading = read_json(tmp_path, N1, N2, name=name, indent=indent)
    assert reading.problems == ()
    assert reading.base.rows("node") == {("n1",), ("n2",)}


def test_documents_before_the_one_that_is_cut_off_are_read(tmp_path: Path) -> None:
    reading = read_text(tmp_path, json.dumps(N1) + "\n" + json.dumps(N2)[:-4], "a.json")
    assert reading.base.rows("node") == {("n1",)}
    (problem,) = reading.problems
    assert (problem.line, problem.message) == (2, "ends inside a JSON value")


def test_a_field_is_found_in_the_document_that_has_it(tmp_path: Path) -> None:
    bad = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "status": {"podIP": "x"}}
    (problem,) = read_json(tmp_path, N1, bad, N2, indent=1).problems
    text = (tmp_path / "a.json").read_text().splitlines()
    assert '"podIP"' in text[problem.line - 1]


def test_cluster_info_dump_writes_lists_whose_items_have_no_kind(tmp_path: Path) -> None:
    reading = read_json(
        tmp_path, {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "n1"}}]}
    )
    assert reading.base.rows("node") == {("n1",)}
    empty = read_json(tmp_path, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": None})
    assert empty.problems == ()
    assert "Pod" not in empty.absent
    assert "Node" in empty.absent


# ---- Watches ----


def event(kind: str, value: object) -> dict[str, object]:
    return {"type": kind, "object": value}


def labelled(version: str, cluster: str) -> dict[str, Any]:
    labels = {"liqo.io/remote-cluster-id": cluster}
    return {**N1, "metadata": {**N1["metadata"], "resourceVersion": version, "labels": labels}}


def test_of_the_events_of_a_watch_the_last_one_counts(tmp_path: Path) -> None:
    bookmark = {"kind": "Node", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}}
    reading = read_json(
        tmp_path,
        event("ADDED", N1),
        event("ADDED", N2),
        event("MODIFIED", labelled("8", "milan")),
        event("BOOKMARK", bookmark),
        event("MODIFIED", labelled("9", "rome")),
        event("DELETED", N2),
    )
    assert reading.problems == ()
    assert reading.base.rows("node") == {("n1",)}
    assert reading.base.rows("node_cluster") == {("n1", "rome")}


def test_an_object_that_a_watch_saw_deleted_may_come_back(tmp_path: Path) -> None:
    other = {**N1, "metadata": {"name": "n1", "uid": "u2", "resourceVersion": "20"}}
    reading = read_json(tmp_path, event("ADDED", N1), event("DELETED", N1), event("ADDED", other))
    assert reading.problems == ()
    assert {fact.source.uid for fact in reading.base.facts()} == {"u2"}


def test_of_the_versions_in_one_file_the_newest_counts(tmp_path: Path) -> None:
    """As `kubectl get -w -o json` prints them."""
    documents = [N1, labelled("8", "milan"), labelled("10", "rome"), labelled("9", "naples")]
    reading = read_json(tmp_path, *documents)
    assert reading.problems == ()
    assert reading.base.rows("node_cluster") == {("n1", "rome")}


def test_a_watch_that_ends_in_an_error_is_not_whole(tmp_path: Path) -> None:
    gone = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "too old resource version",
        "code": 410,
    }
    (problem,) = read_json(tmp_path, event("ADDED", N1), event("ERROR", gone)).problems
    assert "too old resource version" in problem.message


# ---- The same object twice ----


def test_the_same_object_in_two_versions_is_one(tmp_path: Path) -> None:
    managed = {**N1, "metadata": {**N1["metadata"], "resourceVersion": "12", "managedFields": [{"manager": "kubelet"}]}}
    (tmp_path / "b.json").write_text(json.dumps(managed))
    read_json(tmp_path, N1)
    reading = read_folder(tmp_path)
    assert reading.problems == ()
    assert {fact.source.resource_version for fact in reading.base.facts()} == {"12"}


def test_different_objects_in_two_files_are_a_conflict_even_if_one_is_newer(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(labelled("8", "milan")))
    read_json(tmp_path, N1)
    (problem,) = read_folder(tmp_path).problems
    assert problem.message.startswith("different objects have this name")


def test_two_clusters_are_one_line(tmp_path: Path) -> None:
    def cluster(uid: str) -> list[dict[str, Any]]:
        names = ("default", "kube-system", "shop")
        namespaces = [{"metadata": {"name": name, "uid": f"{uid}-{name}"}} for name in names]
        return [{"apiVersion": "v1", "kind": "Namespace", **each} for each in namespaces] + [N1 if uid == "one" else N2]

    read_json(tmp_path, *cluster("one"))
    read_json(tmp_path, *cluster("two"), name="b.json")
    reading = read_folder(tmp_path)
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in reading.problems] == [
        (
            "a.json:2: objects of two clusters: Namespace kube-system has several uids, at a.json:2 and b.json:2, "
            "as have 2 other objects; give the files of one cluster, taken at one time"
        )
    ]
    assert len(reading.base.rows("unreadable")) == 1
    assert reading.base.rows("namespace") == set()


def read_folder(folder: Path) -> Reading:
    from liqo_connectivity.facts import read

    both = read([folder]), read(sorted(folder.iterdir(), reverse=True))
    assert both[0].problems == both[1].problems
    assert both[0].base.counts() == both[1].base.counts()
    return both[0]


# ---- No objects ----


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (
            {
                "kind": "PodList",
                "apiVersion": "v1",
                "metadata": {"continue": "eyJ2", "remainingItemCount": 41},
                "items": [],
            },
            "a.json:1: Pod: is a list that a limit cut: 41 more exist; list all of them: kubectl get pods -A -o yaml",
        ),
        (
            {"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": "eyJ2"}, "items": []},
            "a.json:1: Node: is a list that a limit cut; list all of them: kubectl get nodes -o yaml",
        ),
        (
            {"kind": "List", "apiVersion": "v1", "metadata": {"remainingItemCount": 1}, "items": []},
            "a.json:1: is a list that a limit cut: 1 more exist; list all of them: kubectl get RESOURCE -A -o yaml",
        ),
        (
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": "pods is forbidden:\nno",
                "details": {"kind": "pods"},
            },
            (
                "a.json:1: Pod: is an answer of the API server in place of objects: pods is forbidden:\\nno; list them again: "
                "kubectl get pods -A -o yaml"
            ),
        ),
        (
            {"kind": "Status", "apiVersion": "v1"},
            (
                "a.json:1: is an answer of the API server in place of objects; list them again: "
                "kubectl get RESOURCE -A -o yaml"
            ),
        ),
        (
            {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": [{"cells": ["web-0"]}]},
            (
                "a.json:1: is a printed table (Table) in place of objects; get whole objects: "
                "kubectl get RESOURCE -A -o yaml"
            ),
        ),
        (
            {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "items": [{"metadata": {"name": "a"}}] * 2,
            },
            (
                "a.json:1: is metadata alone (PartialObjectMetadataList) in place of objects; get whole objects: "
                "kubectl get RESOURCE -A -o yaml"
            ),
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "List",
                "items": [{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}],
            },
            (
                "a.json:1: is metadata alone (PartialObjectMetadata) in place of objects; get whole objects: "
                "kubectl get RESOURCE -A -o yaml"
            ),
        ),
        (
            {"kind": "PodList", "apiVersion": "v1"},
            "a.json:1: Pod: is a list without items; the file looks cut off: write it again",
        ),
        (
            {
                "kind": "PeeringConnectivity",
                "apiVersion": "connectivity.liqo.io/v1",
                "metadata": {"name": "p", "namespace": "t"},
            },
            (
                "a.json:1: PeeringConnectivity t/p: has the apiVersion connectivity.liqo.io/v1, which no rule reads; "
                "write security.liqo.io/v1"
            ),
        ),
        (
            {
                "kind": "PeeringConnectivity",
                "apiVersion": "security.liqo.io",
                "metadata": {"name": "p", "namespace": "t"},
            },
            (
                "a.json:1: PeeringConnectivity t/p: has the apiVersion security.liqo.io, which no rule reads; "
                "write security.liqo.io/v1"
            ),
        ),
        (
            {"kind": "NamespaceMap", "apiVersion": "virtualkubelet.liqo.io/v1alpha1", "metadata": {"name": "m"}},
            (
                "a.json:1: NamespaceMap m: has the apiVersion virtualkubelet.liqo.io/v1alpha1, which no rule reads; "
                "write offloading.liqo.io/v1beta1"
            ),
        ),
        (
            {"kind": "Pod", "apiVersion": "apps/v1", "metadata": {"name": "a", "namespace": "b"}},
            "a.json:1: Pod b/a: has the apiVersion apps/v1, which no rule reads; write v1",
        ),
    ],
)
def test_what_stands_in_place_of_objects_is_named(tmp_path: Path, document: object, line: str) -> None:
    assert lines(tmp_path, json.dumps(document), "a.json") == [line]


def test_kinds_of_other_projects_with_a_known_name_are_not_ours(tmp_path: Path) -> None:
    network = {"apiVersion": "config.openshift.io/v1", "kind": "Network", "metadata": {"name": "cluster"}}
    reading = read_json(tmp_path, network)
    assert reading.problems == ()
    assert dict(reading.unknown_kinds) == {"config.openshift.io/v1 Network": 1}


def test_a_cut_list_of_a_kind_that_no_rule_reads_is_no_matter(tmp_path: Path) -> None:
    secrets = {"kind": "SecretList", "apiVersion": "v1", "metadata": {"continue": "x"}, "items": []}
    assert read_json(tmp_path, secrets).problems == ()
