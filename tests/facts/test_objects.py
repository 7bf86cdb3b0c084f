"""What each kind of object asserts, and which field every fact was read from."""

import copy
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import KIND_BY_NAME, ObjectKey, decode_json, decode_mapping, kind_of
from liqo_connectivity.facts.base.fact import pointer, segments
from liqo_connectivity.facts.extraction.controller_facts import enforcing, firewall_configuration
from liqo_connectivity.facts.objects.fields import canonical_address
from liqo_connectivity.rules.relations import RELATION_NAMES

Json = dict[str, Any]

POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "7",
        "labels": {"app": "web", "liqo.io/shadowPod": "true", "offloading.liqo.io/origin": "rome"},
    },
    "spec": {"nodeName": "milan", "hostNetwork": True, "containers": [{"name": "c"}]},
    "status": {"phase": "Running", "podIP": "10.71.2.7", "podIPs": [{"ip": "10.71.2.7"}, {"ip": "FD00::1"}]},
}
NAMESPACE: Json = {
    "metadata": {
        "name": "liqo-tenant-milan",
        "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"},
        "annotations": {"liqo.io/managed-by-namespace-map": "liqo-tenant-milan/milan", "other": "secret"},
    }
}
NODE: Json = {
    "metadata": {"name": "milan", "labels": {"liqo.io/type": "virtual-node", "liqo.io/remote-cluster-id": "milan"}}
}
NETWORK: Json = {
    "metadata": {
        "name": "milan-pod-10-244-0-0-16",
        "namespace": "liqo-tenant-milan",
        "deletionTimestamp": "2026-11-22T23:53:00Z",
        "labels": {
            "liqo.io/remote-cluster-id": "milan",
            "configuration.liqo.io/cidr-type": "pod",
            "ipam.liqo.io/network-type": "pod-cidr",
        },
    },
    "spec": {"cidr": "10.244.0.0/16", "preAllocated": 0},
    "status": {"cidr": "10.71.0.0/16"},
}
CONFIGURATION: Json = {
    "metadata": {"name": "milan", "namespace": "liqo-tenant-milan", "labels": {"liqo.io/remote-cluster-id": "milan"}},
    "spec": {
        "local": {"cidr": {"pod": ["10.200.0.0/17"]}},
        "remote": {"cidr": {"pod": ["10.244.0.0/16", "10.60.0.0/16"], "external": "10.70.0.0/16"}},
    },
}
OFFLOADING: Json = {
    "metadata": {"name": "offloading", "namespace": "shop", "deletionTimestamp": "2026-11-22T23:53:00Z"},
    "spec": {"podOffloadingStrategy": "Remote"},
}
NAMESPACE_MAP: Json = {
    "metadata": {
        "name": "milan",
        "namespace": "liqo-tenant-milan",
        "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/replication": "true", "liqo.io/originID": "rome"},
    },
    "status": {
        "currentMapping": {
            "shop": {"phase": "Accepted", "remoteNamespace": "shop-rome"},
            "batch": {"phase": "CreationLoopBackOff"},
        }
    },
}
VIRTUAL_NODE: Json = {"metadata": {"name": "mypool", "namespace": "liqo-tenant-milan"}, "spec": {"clusterID": "milan"}}
FOREIGN_CLUSTER: Json = {
    "metadata": {"name": "milan"},
    "spec": {"clusterID": "milan"},
    "status": {"role": "Provider", "tenantNamespace": {"local": "liqo-tenant-milan"}},
}
POLICY: Json = {
    "metadata": {
        "name": "guard",
        "namespace": "liqo-tenant-milan",
        "creationTimestamp": "1970-01-01T00:01:00Z",
        "deletionTimestamp": "2026-11-22T23:53:00Z",
    },
    "spec": {
        "rules": [
            {"action": "allow", "source": {"group": "vc-local"}, "destination": {"namespace": "shop"}},
            {"action": "nonsense", "source": {}, "destination": None},
            {},
        ]
    },
}


def schema(*fields: str) -> Json:
    match = {"properties": {"ctstate": {"type": "object"}} if "ctstate" in fields else {}}
    rules = {"properties": {"filterRules": {"items": {"properties": {"match": {"items": match}}}}}}
    table: Json = {"properties": {"chains": {"items": {"properties": {"rules": rules}}}}}
    if "sets" in fields:
        table["properties"]["sets"] = {"type": "array"}
    return {"openAPIV3Schema": {"properties": {"spec": {"properties": {"table": table}}}}}


def crd(*versions: Json) -> Json:
    return {"metadata": {"name": "firewallconfigurations.networking.liqo.io"}, "spec": {"versions": list(versions)}}


CRD = crd({"name": "v1beta1", "served": True, "storage": True, "schema": schema("sets", "ctstate")})

WRITTEN = ObjectKey("FirewallConfiguration", "liqo-tenant-milan", "milan-connectivity")

EXAMPLES: dict[str, Json] = {
    "Pod": POD,
    "Namespace": NAMESPACE,
    "Node": NODE,
    "Network": NETWORK,
    "Configuration": CONFIGURATION,
    "NamespaceOffloading": OFFLOADING,
    "NamespaceMap": NAMESPACE_MAP,
    "VirtualNode": VIRTUAL_NODE,
    "ForeignCluster": FOREIGN_CLUSTER,
    "PeeringConnectivity": POLICY,
    "CustomResourceDefinition": CRD,
}


def rows(kind: str, value: object) -> set[tuple[str | int, ...]]:
    """The rows of an object, each with its relation first."""
    decoded = decode_mapping(KIND_BY_NAME[kind], value)
    assert decoded.problem is None, str(decoded.problem)
    return {(fact.relation, *fact.row) for fact in decoded.facts}


def changed(value: Json, path: str, to: object) -> Json:
    """A deep copy with another value at a pointer; ``...`` removes the field."""
    result = copy.deepcopy(value)
    *parents, last = segments(path)
    inner: Any = result
    for step in parents:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    if to is ...:
        del inner[last]
    else:
        inner[last] = to
    return result


def test_every_relation_that_objects_assert_is_covered() -> None:
    seen = {str(row[0]) for kind, value in EXAMPLES.items() for row in rows(kind, value)}
    own = {fact.relation for fact in (*enforcing("one"), *firewall_configuration(WRITTEN, "u", "1", "guard"))}
    assert set(RELATION_NAMES.values()) - seen - own == {"flow", "unreadable", "namespace_terminating"}


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
        ("namespace_managed_by", "liqo-tenant-milan", "liqo-tenant-milan/milan"),
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
    assert rows("Node", NODE) == {("node", "milan"), ("node_virtual", "milan"), ("node_cluster", "milan", "milan")}
    assert rows("VirtualNode", VIRTUAL_NODE) == {("virtual_node", "mypool", "milan")}


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
    }


def test_offloading_has_liqos_default_strategy() -> None:
    assert rows("NamespaceOffloading", OFFLOADING) == {
        ("namespace_offloading", "shop", "Remote"),
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
        ("namespace_map_origin", key, "rome"),
        ("namespace_map_entry", key, "shop", "shop-rome", "Accepted"),
        ("namespace_map_entry", key, "batch", "", "CreationLoopBackOff"),
    }
    replicated = changed(NAMESPACE_MAP, "/metadata/labels/liqo.io~1replication", "false")
    assert ("namespace_map_ours", key) not in rows("NamespaceMap", replicated)


def test_foreign_cluster() -> None:
    assert rows("ForeignCluster", FOREIGN_CLUSTER) == {
        ("foreign_cluster", "milan"),
        ("foreign_cluster_role", "milan", "Provider"),
        ("foreign_cluster_tenant", "milan", "liqo-tenant-milan"),
    }
    young = changed(FOREIGN_CLUSTER, "/status", {"tenantNamespace": {}})
    assert rows("ForeignCluster", young) == {("foreign_cluster", "milan")}


def test_policy() -> None:
    key = "liqo-tenant-milan/guard"
    assert rows("PeeringConnectivity", POLICY) == {
        ("policy", key, "liqo-tenant-milan"),
        ("policy_tenant_name", key, "milan"),
        ("policy_created", key, 60),
        ("policy_terminating", key),
        ("policy_rule", key, 0),
        ("policy_action", key, 0, "allow"),
        ("policy_party", key, 0, "source"),
        ("policy_party_group", key, 0, "source", "vc-local"),
        ("policy_party", key, 0, "destination"),
        ("policy_party_namespace", key, 0, "destination", "shop"),
        ("policy_rule", key, 1),
        ("policy_action", key, 1, "nonsense"),
        ("policy_party", key, 1, "source"),
        ("policy_rule", key, 2),
    }


@pytest.mark.parametrize("namespace", ["naples-tenant", "liqo-tenant-", "liqo-tenant-" + "a" * 51, "xliqo-tenant-a"])
def test_a_policys_namespace_names_a_cluster_only_as_liqo_names_it(namespace: str) -> None:
    value = changed(POLICY, "/metadata/namespace", namespace.removesuffix("-"))
    named = [row for row in rows("PeeringConnectivity", value) if row[0] == "policy_tenant_name"]
    assert len(named) == (namespace == "liqo-tenant-" + "a" * 51)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-07-01T10:00:00Z", 1782900000),
        ("2026-07-01T12:00:00+02:00", 1782900000),
        ("2026-07-01T10:00:00.999999Z", 1782900000),
    ],
)
def test_time_of_creation(written: str, seconds: int) -> None:
    value = changed(POLICY, "/metadata/creationTimestamp", written)
    assert ("policy_created", "liqo-tenant-milan/guard", seconds) in rows("PeeringConnectivity", value)


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


@pytest.mark.parametrize(
    ("api_version", "kind", "read"),
    [
        ("v1", "Pod", True),
        ("networking.liqo.io/v1", "Configuration", True),
        ("security.liqo.io/v1alpha7", "PeeringConnectivity", True),
        ("serving.knative.dev/v1", "Configuration", False),
        ("config.openshift.io/v1", "Network", False),
        ("example.com/v1", "Pod", False),
        ("v1", "Secret", False),
    ],
)
def test_kinds_are_matched_by_group_whatever_the_version(api_version: str, kind: str, read: bool) -> None:
    assert (kind_of(api_version, kind) is not None) == read


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_every_fact_points_to_its_value(kind: str) -> None:
    value = EXAMPLES[kind]
    for fact in decode_mapping(KIND_BY_NAME[kind], value).facts:
        found: Any = value
        for step in segments(fact.field):
            found = found[int(step)] if isinstance(found, list) else found[step]
        assert fact.value is True if isinstance(found, dict | list) else fact.value == found
        assert fact.source.kind == kind
        assert fact.source.name == value["metadata"]["name"]
        assert fact.source.namespace == value["metadata"].get("namespace", "")


def test_provenance_of_a_label() -> None:
    decoded = decode_mapping(KIND_BY_NAME["Pod"], POD)
    fact = next(fact for fact in decoded.facts if fact.relation == "pod_shadow")
    assert fact.field == "/metadata/labels/liqo.io~1shadowPod"
    assert (fact.source.uid, fact.source.resource_version) == ("u1", "7")
    assert len({id(other.source) for other in decoded.facts}) == 1


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_bytes_and_mappings_decode_alike(kind: str) -> None:
    data = json.dumps(EXAMPLES[kind]).encode()
    assert decode_json(KIND_BY_NAME[kind], data) == decode_mapping(KIND_BY_NAME[kind], EXAMPLES[kind])


@given(st.lists(st.text(min_size=1)))
def test_pointers_can_be_taken_apart(path: list[str]) -> None:
    assert segments(pointer(*path)) == tuple(path)


@given(st.ip_addresses())
def test_canonical_addresses_stay(address: object) -> None:
    text = canonical_address(str(address))
    assert canonical_address(text) == text


def _paths(value: object, path: str = "") -> list[str]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            found += _paths(inner, path + pointer(key))
    return found


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())
)


@given(st.data())
def test_junk_anywhere_gives_facts_or_one_problem(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(EXAMPLES)))
    path = data.draw(st.sampled_from(_paths(EXAMPLES[kind])))
    value = changed(EXAMPLES[kind], path, data.draw(JUNK))
    decoded = decode_mapping(KIND_BY_NAME[kind], value, "a.yaml")
    if decoded.problem is not None:
        assert [fact.relation for fact in decoded.facts] == ["unreadable"]
        assert str(decoded.problem).isprintable()
    for fact in decoded.facts:
        assert fact.source.key == decoded.key


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'{"metadata": "\\ud800"}'])
def test_bytes_that_are_no_object_give_a_problem(data: bytes) -> None:
    for kind in ("Pod", "CustomResourceDefinition"):
        decoded = decode_json(KIND_BY_NAME[kind], data)
        assert decoded.problem is not None
        assert [fact.relation for fact in decoded.facts] == ["unreadable"]


def test_a_problem_with_bytes_names_the_object() -> None:
    data = json.dumps(changed(POD, "/status/podIP", "x")).encode()
    decoded = decode_json(KIND_BY_NAME["Pod"], data)
    assert decoded.key == ("Pod", "shop", "web-0")
    assert decoded.facts[0].source[3:] == ("u1", "7")
    assert str(decoded.problem) == (
        'Pod shop/web-0: /status/podIP: "x" is not an IP address; write one IPv4 or IPv6 address'
    )


def test_a_schema_that_nests_without_end_is_malformed() -> None:
    nested: Json = {}
    for _ in range(900):
        nested = {"items": nested}
    value = changed(CRD, "/spec/versions/0/schema/openAPIV3Schema", nested)
    assert decode_mapping(KIND_BY_NAME["CustomResourceDefinition"], value).problem is not None
