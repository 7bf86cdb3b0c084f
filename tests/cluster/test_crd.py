"""The CustomResourceDefinition: generated, understood by a real API server, and in agreement with what we decode."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from liqo_connectivity.facts import KIND_BY_NAME
from liqo_connectivity.facts.crd.generate import custom_resource_definition, text
from liqo_connectivity.facts.crd.peering_connectivity import MAX_RULES, PeeringConnectivity
from liqo_connectivity.facts.objects import liqo_objects
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.cli import run
from tests.support.api_client import ApiError, wait_until
from tests.support.checkout import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.policy_documents import DOCUMENTS, Document, Object, rule, rules

KIND = KIND_BY_NAME["PeeringConnectivity"]
BY_NAME = {document.name: document for document in DOCUMENTS}


def strictly(document: Object) -> PeeringConnectivity:
    """What the API models make of an object; they know nothing of what every object has."""
    body = {key: value for key, value in document.items() if key in ("spec", "status")}
    return PeeringConnectivity.model_validate_json(json.dumps(body))


def leniently(document: Object) -> liqo_objects.PeeringConnectivity:
    """What the decoder of stored objects makes of it."""
    found = KIND.from_mapping(document)
    assert isinstance(found, liqo_objects.PeeringConnectivity)
    return found


def written(policy: PeeringConnectivity | liqo_objects.PeeringConnectivity) -> list[Any]:
    """The rules of either model, comparable."""
    found: list[Any] = []
    for each in (policy.spec.rules if policy.spec else None) or ():
        parties = [(side.group, side.namespace) if side else None for side in (each.source, each.destination)]
        found.append((each.action, *parties))
    return found


@pytest.mark.parametrize("path", ["deploy/base/crd.yaml", "deploy/chart/crd.yaml"])
def test_the_definition_is_the_one_of_the_models(path: str) -> None:
    assert Path(ROOT, path).read_text("utf-8") == text(), "run `make manifests`"


def described(schema: Any, path: str = "") -> list[str]:
    """The fields of a structural schema without a description."""
    missing = [] if "description" in schema or path in ("", ".metadata") else [path]
    for name, each in schema.get("properties", {}).items():
        missing += described(each, f"{path}.{name}")
    return missing + (described(schema["items"], f"{path}[]") if "items" in schema else [])


def test_every_field_is_described() -> None:
    definition: Any = custom_resource_definition()
    assert described(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []


@pytest.mark.parametrize(("count", "fits"), [(MAX_RULES, True), (MAX_RULES + 1, False)])
def test_the_most_rules_are_what_a_chain_has_room_for(
    count: int, fits: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each takes at least one rule of the chain; two are there for what the policy does not govern."""
    narrow = [rule(source={"namespace": f"shop-{n}"}, destination={"group": "offloaded"}) for n in range(count)]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(Document("narrow", rules(*narrow)).policy("liqo-tenant-rome")))
    cluster = [part for name in ("cluster", "liqo", "pods") for part in ("-f", f"{ROOT}/examples/provider/{name}.yaml")]
    code = run(["render", *cluster, "-f", str(file)])
    assert (code == exits.OK) == fits
    assert ("more than the 1000 of one chain" in capsys.readouterr().err) != fits


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_models_take_what_the_schema_takes(document: Document) -> None:
    policy = document.policy("liqo-tenant-milan")
    if document.refused is None:
        assert written(strictly(policy)) == written(leniently(policy))
    else:
        with pytest.raises(ValidationError):
            strictly(policy)


labels = st.from_regex("[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
names = labels | st.text(max_size=8)
parties = st.fixed_dictionaries({}, optional={"group": names, "namespace": names})
some_rules = st.fixed_dictionaries(
    {"action": st.sampled_from(["allow", "deny", "reject"])}, optional={"source": parties, "destination": parties}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # beside a control plane
@given(st.lists(some_rules, max_size=3))
def test_what_the_schema_takes_is_decoded_to_the_same_rules(given_rules: list[Object]) -> None:
    policy = Document("drawn", rules(*given_rules)).policy("liqo-tenant-milan")
    try:
        taken = strictly(policy)
    except ValidationError:
        return
    assert (
        written(taken)
        == written(leniently(policy))
        == [(each["action"], *(_drawn(each.get(side)) for side in ("source", "destination"))) for each in given_rules]
    )


def _drawn(party: Object | None) -> tuple[str | None, str | None] | None:
    return None if party is None else (party.get("group"), party.get("namespace"))


# ---- On a real API server ----


@pytest.fixture
def tenant(control_plane: ControlPlane) -> str:
    """A namespace where our policies can be stored."""
    control_plane.install([dict(custom_resource_definition())])
    return control_plane.namespace("liqo-tenant")


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_api_server_takes_and_refuses(control_plane: ControlPlane, tenant: str, document: Document) -> None:
    policy = document.policy(tenant)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_kubectl_explains_every_field(control_plane: ControlPlane, tenant: str) -> None:
    assert tenant
    done = control_plane.kubectl("explain", "pcon.spec.rules.action")
    assert done.returncode == 0, done.stderr
    assert "There is no default" in " ".join(done.stdout.split())


@pytest.mark.slow
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


@pytest.mark.slow
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

    wait_until(refused)
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
