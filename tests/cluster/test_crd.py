"""The CustomResourceDefinition on a real API server: what it stores, refuses and shows."""

import json
from typing import Any

import pytest

from liqo_connectivity.facts.crd.generate import custom_resource_definition
from liqo_connectivity.operator.explain import preset as presets
from tests.support.api_client import ApiError
from tests.support.control_plane import ControlPlane
from tests.support.policy_documents import DOCUMENTS, Document, Object, rule, rules
from tests.support.policy_field_documents import FIELD_DOCUMENTS
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

EVERY = (*DOCUMENTS, *FIELD_DOCUMENTS)
BY_NAME = {document.name: document for document in EVERY}


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> ControlPlane:
    control_plane.install([dict(custom_resource_definition())])
    return control_plane


@pytest.fixture(scope="module")
def shared(installed: ControlPlane) -> str:
    """A namespace for policies of different names."""
    return installed.namespace("liqo-tenant")


@pytest.fixture
def tenant(installed: ControlPlane) -> str:
    """A namespace where our policies can be stored."""
    return installed.namespace("liqo-tenant")


@pytest.mark.parametrize("document", EVERY, ids=lambda document: document.name)
def test_the_api_server_takes_and_refuses(control_plane: ControlPlane, shared: str, document: Document) -> None:
    policy = document.policy(shared, f"policy-{EVERY.index(document)}")
    if document.refused is None:
        stored = control_plane.admin.create(policy, fieldValidation="Strict")
        assert stored["spec"] == policy["spec"]
        return
    with pytest.raises(ApiError) as refusal:
        control_plane.admin.create(policy, fieldValidation="Strict")
    assert refusal.value.status in (400, 422)
    assert document.refused in refusal.value.message


def status(ready: str = "True", reason: str = "FabricSynced", **more: Any) -> Object:
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-07-01T10:00:00Z",
        "observedGeneration": 1,
    }
    return {"observedGeneration": 1, "conditions": [condition], **more}


def test_kubectl_shows_what_matters(control_plane: ControlPlane, tenant: str) -> None:
    stored = control_plane.admin.create(BY_NAME["two groups"].policy(tenant, "milan"))
    path = control_plane.admin.path(stored)
    control_plane.admin.patch_status(path, status(rules=1, members=12))

    def columns(*arguments: str) -> list[list[str]]:
        done = control_plane.kubectl("get", "-n", tenant, *arguments)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()]

    [head, [*cells, _]] = columns("pcon")
    assert head == ["NAME", "READY", "RULES", "MEMBERS", "AGE"]
    assert cells == ["milan", "True", "1", "12"]
    [head, [*cells, _]] = columns("pcon", "-o", "wide")
    assert head == ["NAME", "READY", "RULES", "MEMBERS", "REASON", "AGE"]
    assert cells == ["milan", "True", "1", "12", "FabricSynced"]
    assert ["peeringconnectivity.security.liqo.io/milan"] in columns("liqo", "-o", "name")


def test_kubectl_explains_every_field(control_plane: ControlPlane, tenant: str) -> None:
    assert tenant
    for field, text in (
        ("action", "There is no default"),
        ("ports.protocol", "In IPv6, ICMP is ICMPv6"),
        ("source.podSelector.matchExpressions.operator", "DoesNotExist, there is none"),
        ("destination.cidr.except", "CIDRs inside it"),
    ):
        done = control_plane.kubectl("explain", f"pcon.spec.rules.{field}")
        assert done.returncode == 0, done.stderr
        assert text in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "wrong",
    [
        status(ready="Yes"),
        status(reason=""),
        status(rules=-1),
        status(members="12"),
        {"conditions": status()["conditions"] * 2},
        {"conditions": [{"type": "Ready", "status": "True"}]},
    ],
)
def test_a_wrong_status_is_refused(control_plane: ControlPlane, tenant: str, wrong: Object) -> None:
    stored = control_plane.admin.create(BY_NAME["no rules"].policy(tenant))
    with pytest.raises(ApiError) as refusal:
        control_plane.admin.patch_status(control_plane.admin.path(stored), wrong)
    assert refusal.value.status == 422


def without_checks(schema: Any) -> Any:
    """A schema that asks for nothing but types: what an older definition may have let through."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if key not in ("required", "x-kubernetes-validations")}
        return {key: without_checks(value) for key, value in kept.items()}
    return [without_checks(each) for each in schema] if isinstance(schema, list) else schema


def test_a_policy_of_an_older_definition_can_be_told_so_and_deleted(fresh_control_plane: ControlPlane) -> None:
    """What is stored stays; a status and a finalizer can be written on it, though its spec would be refused today."""
    plane = fresh_control_plane
    newer: Any = custom_resource_definition()
    older = json.loads(json.dumps(newer))
    version = older["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"] = without_checks(properties["spec"])
    plane.install([older])
    namespace = plane.namespace("liqo-tenant")
    policy = Document("older", rules({"source": {}}, rule())).policy(namespace)
    stored = plane.admin.create(policy)
    path = plane.admin.path(stored)
    plane.install([newer])

    def refused() -> bool:
        try:
            plane.admin.create({**policy, "metadata": {"namespace": namespace, "name": "other"}}, dryRun="All")
        except ApiError as error:
            return error.status == 422
        return False

    eventually(refused)
    identity = {key: stored[key] for key in ("apiVersion", "kind")}
    metadata = {"name": "policy", "namespace": namespace}
    told = {**identity, "metadata": metadata, "status": status("False", "InvalidPolicy")}
    held = {**identity, "metadata": {**metadata, "finalizers": ["security.liqo.io/peering-connectivity"]}}
    released = {**identity, "metadata": {**metadata, "finalizers": []}}
    query = {"fieldManager": "liqo-connectivity-engine", "force": "true"}
    apply = "application/apply-patch+yaml"
    plane.admin.patch(f"{path}/status", told, apply, **query)
    plane.admin.patch(path, held, apply, **query)
    plane.admin.delete(path)
    assert plane.admin.get(path)["status"]["conditions"][0]["reason"] == "InvalidPolicy"
    plane.admin.patch(path, released, apply, **query)
    with pytest.raises(ApiError, match="NotFound"):
        plane.admin.get(path)


@pytest.mark.parametrize("name", presets.NAMES)
def test_the_api_server_takes_every_preset(control_plane: ControlPlane, tenant: str, name: str) -> None:
    policy = presets.load(name).policy("milan", tenant)
    assert control_plane.admin.create(policy, fieldValidation="Strict")["spec"] == policy["spec"]
