"""What each kind of object asserts."""

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, ObjectKey, decode_mapping
from liqo_connectivity.facts.extraction.controller_facts import enforcing, firewall_configuration
from liqo_connectivity.rules.relations import RELATION_NAMES
from tests.support.example_objects import (
    CONFIGURATION,
    CRD,
    EVERY_FIELD,
    EXAMPLES,
    EXTERNAL_NAME,
    FOREIGN_CLUSTER,
    NAMESPACE,
    NAMESPACE_MAP,
    NETWORK,
    NODE,
    OFFLOADING,
    POD,
    VIRTUAL_NODE,
    changed,
    crd,
    rows,
    schema,
)

WRITTEN = ObjectKey("FirewallConfiguration", "liqo-tenant-milan", "milan-connectivity")


def test_every_relation_that_objects_assert_is_covered() -> None:
    seen = {str(row[0]) for kind, value in EXAMPLES.items() for row in rows(kind, value)}
    own = {fact.relation for fact in (*enforcing("one"), *firewall_configuration(WRITTEN, "u", "1", "guard"))}
    own |= {str(row[0]) for row in rows("Service", EXTERNAL_NAME) | rows("PeeringConnectivity", EVERY_FIELD)}
    question = {"flow", "flow_port"}
    assert set(RELATION_NAMES.values()) - seen - own - question == {
        "kind_absent",
        "unreadable",
        "namespace_terminating",
        # Commands say who enforces, and policies which labels are read.
        "enforcer",
        "namespace_label",
        "pod_label",
    }


def test_pod() -> None:
    assert rows("Pod", POD) == {
        ("pod", "shop/web-0", "shop"),
        ("pod_node", "shop/web-0", "milan"),
        ("pod_host_network", "shop/web-0"),
        ("pod_phase", "shop/web-0", "Running"),
        ("pod_ip", "shop/web-0", "10.71.2.7"),
        ("pod_ip", "shop/web-0", "fd00::1"),
        ("pod_shadow", "shop/web-0"),
        ("pod_origin", "shop/web-0", "rome"),
        ("pod_interface", "shop/web-0", "shop/storage", "192.168.77.7"),
    }


def test_pod_without_anything_optional_only_exists() -> None:
    bare = {"metadata": {"name": "web-0", "namespace": "shop", "labels": None}, "spec": None}
    assert rows("Pod", bare) == {("pod", "shop/web-0", "shop")}


def test_empty_texts_of_a_pod_mean_nothing() -> None:
    status = {"podIP": "", "podIPs": [{}, {"ip": ""}]}
    bare = {"metadata": {"name": "web-0", "namespace": "shop"}, "spec": {"hostNetwork": False}, "status": status}
    assert rows("Pod", bare) == {("pod", "shop/web-0", "shop")}


def test_addresses_are_canonical_and_not_repeated() -> None:
    ips = [{"ip": "10.0.0.1"}, {"ip": "::ffff:10.0.0.1"}, {"ip": "2001:DB8:0::1"}, {"ip": "2001:db8::1"}]
    pod = changed(changed(POD, "/status/podIP", "::ffff:10.0.0.1"), "/status/podIPs", ips)
    decoded = decode_mapping(KIND_BY_NAME["Pod"], pod)
    found = [(fact.row[1], fact.field, fact.value) for fact in decoded.facts if fact.relation == "pod_ip"]
    assert found == [
        ("10.0.0.1", "/status/podIP", "::ffff:10.0.0.1"),
        ("2001:db8::1", "/status/podIPs/2/ip", "2001:DB8:0::1"),
    ]


@pytest.mark.parametrize("label", ["", "x" * 5000, "a\tb\nc", "../..", "\N{PILE OF POO}"])
def test_a_tenants_label_never_hides_the_pod(label: str) -> None:
    pod = changed(changed(POD, "/metadata/labels/offloading.liqo.io~1origin", label), "/metadata/labels/x", label)
    assert ("pod_origin", "shop/web-0", label) in rows("Pod", pod)


def test_a_shadow_label_counts_only_when_it_is_true() -> None:
    assert ("pod_shadow", "shop/web-0") not in rows("Pod", changed(POD, "/metadata/labels/liqo.io~1shadowPod", "yes"))


def test_namespace() -> None:
    assert rows("Namespace", NAMESPACE) == {
        ("namespace", "liqo-tenant-milan"),
        ("namespace_cluster", "liqo-tenant-milan", "milan"),
        ("namespace_tenant", "liqo-tenant-milan"),
        ("namespace_managed_by", "liqo-tenant-milan", "liqo-tenant-milan"),
    }


def test_a_namespace_that_is_being_deleted() -> None:
    value = changed(NAMESPACE, "/metadata/deletionTimestamp", "2026-11-22T23:53:00Z")
    assert rows("Namespace", value) - rows("Namespace", NAMESPACE) == {("namespace_terminating", "liqo-tenant-milan")}


@pytest.mark.parametrize(("name", "cluster"), [("milan-connectivity", "milan"), ("by-hand", "")])
def test_what_the_controller_wrote(name: str, cluster: str) -> None:
    (fact,) = firewall_configuration(WRITTEN._replace(name=name), "u", "1", "guard")
    assert fact.row == (f"liqo-tenant-milan/{name}", "liqo-tenant-milan", cluster, "liqo-tenant-milan/guard")
    assert fact.source == ("FirewallConfiguration", "liqo-tenant-milan", name, "u", "1")


def test_only_a_tenant_namespace_needs_a_cluster_id() -> None:
    value = {"metadata": {"name": "shop", "labels": {"liqo.io/remote-cluster-id": "Not An Id"}}}
    assert ("namespace_cluster", "shop", "Not An Id") in rows("Namespace", value)


def test_node_and_virtual_node() -> None:
    assert rows("Node", NODE) == {
        ("node", "milan"),
        ("node_virtual", "milan"),
        ("node_cluster", "milan", "milan"),
        ("node_address", "milan", "10.244.1.5"),
        ("node_label", "milan", "liqo.io/type", "virtual-node"),
        ("node_label", "milan", "liqo.io/remote-cluster-id", "milan"),
    }
    assert rows("VirtualNode", VIRTUAL_NODE) == {
        ("virtual_node", "liqo-tenant-milan/mypool", "liqo-tenant-milan", "mypool", "milan"),
        ("virtual_node_label", "liqo-tenant-milan/mypool", "zone", "north"),
    }


@pytest.mark.parametrize("name", ["milan-pod", "milan-pod-10-244-0-0-16"])
def test_networks_of_old_and_new_liqo(name: str) -> None:
    key = f"liqo-tenant-milan/{name}"
    assert rows("Network", changed(NETWORK, "/metadata/name", name)) == {
        ("network", key, "liqo-tenant-milan"),
        ("network_type", key, "pod-cidr"),
        ("network_cluster", key, "milan"),
        ("network_cidr_type", key, "pod"),
        ("network_spec_cidr", key, "10.244.0.0/16"),
        ("network_status_cidr", key, "10.71.0.0/16"),
        ("network_terminating", key),
    }


@pytest.mark.parametrize("status", [..., None, {}, {"cidr": ""}, {"cidr": None}])
def test_a_network_that_ipam_has_not_served_has_no_status_cidr(status: object) -> None:
    assert not [row for row in rows("Network", changed(NETWORK, "/status", status)) if row[0] == "network_status_cidr"]


def test_a_cidr_is_asserted_as_written() -> None:
    value = changed(NETWORK, "/status/cidr", "10.71.0.5/16 or so")
    key = "liqo-tenant-milan/milan-pod-10-244-0-0-16"
    assert ("network_status_cidr", key, "10.71.0.5/16 or so") in rows("Network", value)


def test_configuration_lists_or_names_cidrs() -> None:
    key = "liqo-tenant-milan/milan"
    assert rows("Configuration", CONFIGURATION) == {
        ("configuration", key, "liqo-tenant-milan"),
        ("configuration_cluster", key, "milan"),
        ("configuration_remote_cidr", key, "pod", "10.244.0.0/16"),
        ("configuration_remote_cidr", key, "pod", "10.60.0.0/16"),
        ("configuration_remote_cidr", key, "external", "10.70.0.0/16"),
        ("configuration_used_cidr", key, "pod", "10.71.0.0/16"),
    }


def test_offloading_has_liqos_default_strategy() -> None:
    assert rows("NamespaceOffloading", OFFLOADING) == {
        ("namespace_offloading", "shop", "Remote"),
        ("namespace_offloading_term", "shop", 0),
        ("namespace_offloading_requirement", "shop", 0, 0, "label", "region", "In"),
        ("namespace_offloading_value", "shop", 0, 0, "region", "north"),
        ("namespace_offloading_requirement", "shop", 0, 1, "field", "metadata.name", "In"),
        ("namespace_offloading_value", "shop", 0, 1, "metadata.name", "milan"),
        ("namespace_offloading_term", "shop", 1),
        ("namespace_offloading_bad_term", "shop", 1),
        ("namespace_offloading_required", "shop", "milan", "True"),
        ("namespace_offloading_required", "shop", "naples", "False"),
        ("namespace_offloading_terminating", "shop"),
    }
    bare = {"metadata": {"name": "offloading", "namespace": "shop"}}
    assert rows("NamespaceOffloading", bare) == {("namespace_offloading", "shop", "LocalAndRemote")}


def test_namespace_map() -> None:
    key = "liqo-tenant-milan/milan"
    assert rows("NamespaceMap", NAMESPACE_MAP) == {
        ("namespace_map", key, "liqo-tenant-milan"),
        ("namespace_map_cluster", key, "milan"),
        ("namespace_map_ours", key),
        ("namespace_map_entry", key, "shop", "shop-rome", "Accepted"),
        ("namespace_map_entry", key, "batch", "", "CreationLoopBackOff"),
        ("namespace_map_bad_entry", key, "No Name\\n"),
    }
    replicated = changed(NAMESPACE_MAP, "/metadata/labels/liqo.io~1replication", "false")
    assert ("namespace_map_ours", key) not in rows("NamespaceMap", replicated)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        [],
        "Accepted",
        {"phase": 7},
        {"phase": "Odd"},
        {"remoteNamespace": ["x"]},
        {"remoteNamespace": "No Name"},
    ],
)
def test_an_entry_that_liqo_does_not_write_hides_no_other(entry: object) -> None:
    key = "liqo-tenant-milan/milan"
    value = changed(NAMESPACE_MAP, "/status/currentMapping/batch", entry)
    found = rows("NamespaceMap", value) - rows("NamespaceMap", NAMESPACE_MAP)
    assert found == {("namespace_map_bad_entry", key, "batch")}
    assert ("namespace_map_entry", key, "shop", "shop-rome", "Accepted") in rows("NamespaceMap", value)


@pytest.mark.parametrize("mapping", [7, "shop", ["shop"], True])
def test_a_mapping_that_is_no_object_is_one_bad_entry(mapping: object) -> None:
    key = "liqo-tenant-milan/milan"
    found = rows("NamespaceMap", changed(NAMESPACE_MAP, "/status/currentMapping", mapping))
    assert {row for row in found if row[0] != "namespace_map"} == {
        ("namespace_map_cluster", key, "milan"),
        ("namespace_map_ours", key),
        ("namespace_map_bad_entry", key, ""),
    }


def test_the_text_of_a_bad_entry_is_short_and_on_one_line() -> None:
    value = changed(NAMESPACE_MAP, "/status/currentMapping", {"\n" * 500: {}})
    (bad,) = (row for row in rows("NamespaceMap", value) if row[0] == "namespace_map_bad_entry")
    assert bad[2] == ("\\n" * 500)[:63]


def test_foreign_cluster() -> None:
    assert rows("ForeignCluster", FOREIGN_CLUSTER) == {
        ("foreign_cluster", "milan"),
        ("foreign_cluster_role", "milan", "Provider"),
        ("foreign_cluster_tenant", "milan", "liqo-tenant-milan"),
    }
    young = changed(FOREIGN_CLUSTER, "/status", {"tenantNamespace": {}})
    assert rows("ForeignCluster", young) == {("foreign_cluster", "milan")}


@pytest.mark.parametrize("fields", [(), ("sets",), ("ctstate",), ("sets", "ctstate")])
def test_crd_fields(fields: tuple[str, ...]) -> None:
    value = crd({"name": "v1beta1", "served": True, "storage": True, "schema": schema(*fields)})
    expected = {("firewall_crd_field", field) for field in fields}
    assert rows("CustomResourceDefinition", value) == expected | {
        ("firewall_crd", "firewallconfigurations.networking.liqo.io")
    }


def test_a_crd_field_has_to_survive_in_the_stored_version_too() -> None:
    served = {"name": "v1beta1", "served": True, "storage": False, "schema": schema("sets", "ctstate")}
    stored = {"name": "v1", "served": True, "storage": True, "schema": schema("sets")}
    assert ("firewall_crd_field", "sets") in rows("CustomResourceDefinition", crd(served, stored))
    assert ("firewall_crd_field", "ctstate") not in rows("CustomResourceDefinition", crd(served, stored))
    hidden = changed(CRD, "/spec/versions/0/served", False)
    assert len(rows("CustomResourceDefinition", hidden)) == 1


def test_other_crds_are_not_looked_into() -> None:
    assert rows("CustomResourceDefinition", {"metadata": {"name": "pods.example.com"}, "spec": 5}) == set()
