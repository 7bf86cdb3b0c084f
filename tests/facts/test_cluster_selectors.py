"""What a clusterSelector and the labels of virtual nodes become: users and providers write them, so nothing hides the rest."""

import pytest

from tests.support.example_objects import OFFLOADING, VIRTUAL_NODE, changed, rows


@pytest.mark.parametrize(
    "term",
    [
        None,
        [],
        {"matchExpressions": {}},
        {"matchExpressions": ["zone"]},
        {"matchExpressions": [{"key": "zone"}]},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": "a"}]},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": [1]}]},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a b"]}]},
        {"matchExpressions": [{"key": "zone\n", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "zone", "operator": "\n"}]},
        {"matchExpressions": [{"key": "zone", "operator": "Exists"}] * 101},
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": [f"v{n}" for n in range(401)]}]},
    ],
)
def test_a_term_that_kubernetes_cannot_read_or_that_is_too_long_is_a_fact(term: object) -> None:
    value = changed(OFFLOADING, "/spec/clusterSelector/nodeSelectorTerms", [term])
    kept = [f"namespace_offloading_{name}" for name in ("term", "bad_term", "requirement", "value")]
    selector = {row for row in rows("NamespaceOffloading", value) if row[0] in kept}
    assert selector == {("namespace_offloading_term", "shop", 0), ("namespace_offloading_bad_term", "shop", 0)}


def test_so_many_terms_are_read_and_no_more() -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    told = rows("NamespaceOffloading", changed(OFFLOADING, "/spec/clusterSelector/nodeSelectorTerms", [term] * 5000))
    assert {row for row in told if row[0] == "namespace_offloading_bad_term"} == {
        ("namespace_offloading_bad_term", "shop", 100)
    }
    assert len(told) < 210


def test_a_provider_can_take_neither_the_taint_of_a_virtual_node_nor_its_labels_out_of_the_facts() -> None:
    labels = {"liqo.io/type": "x", "a/" + "b" * 300: "c", "odd\nkey": "odd\nvalue"}
    taints = [{"key": "other"}, {"key": "virtual-node.liqo.io/not-allowed"}]
    told = rows("Node", {"metadata": {"name": "milan", "labels": labels}, "spec": {"taints": taints}})
    assert ("node_virtual", "milan") in told
    assert ("node_label", "milan", "liqo.io/type", "x") in told
    value = {"metadata": VIRTUAL_NODE["metadata"], "spec": {"clusterID": "milan", "labels": labels}}
    assert ("virtual_node_label", "liqo-tenant-milan/mypool", "odd\\nkey", "odd\\nvalue") in rows("VirtualNode", value)
    physical = rows("Node", {"metadata": {"name": "worker", "labels": {"zone": "a"}}, "spec": {"taints": taints[:1]}})
    assert physical == {("node", "worker")}
