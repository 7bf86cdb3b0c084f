"""Liqo's CRDs and its webhook in the control plane of the tests: what is pruned, limited and refused is so in Liqo."""

from copy import deepcopy

import pytest

from tests.support.api_client import ApiError
from tests.support.control_plane import ControlPlane
from tests.support.firewall_configurations import configuration, rules
from tests.support.liqo_crds import VERSIONS, crds, with_sets_and_ctstate
from tests.support.liqo_webhook_server import WebhookServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("version", VERSIONS)
def test_the_crd_of_a_release_prunes_what_the_pull_requests_add(
    fresh_control_plane: ControlPlane, version: str
) -> None:
    admin = fresh_control_plane.admin
    released = crds(version)
    fresh_control_plane.install(released)
    for crd in released:
        conditions = admin.get(admin.path(crd))["status"]["conditions"]
        assert {one["type"]: one["status"] for one in conditions}["Established"] == "True"
    wanted = configuration("default")
    with pytest.raises(ApiError, match=r'unknown field "spec.table.sets"') as refused:
        admin.create(wanted, fieldValidation="Strict")
    assert (refused.value.status, refused.value.reason) == (400, "BadRequest")
    pruned = admin.create(wanted)
    assert "sets" not in pruned["spec"]["table"]
    assert rules(pruned)[0]["match"] == [{"op": "eq"}]  # which accepts everything

    fresh_control_plane.install(with_sets_and_ctstate(released))
    stored = eventually(lambda: admin.apply(wanted, fieldValidation="Strict"))
    assert stored["spec"] == wanted["spec"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "ns-a"), ("name", ""), ("keyType", "ipv4_cidr"), ("elements", [{"data": "10.0.0.1"}])],
)
def test_the_extended_crd_limits_sets(control_plane: ControlPlane, field: str, value: object) -> None:
    bad = configuration(control_plane.namespace())
    bad["spec"]["table"]["sets"][0][field] = value
    with pytest.raises(ApiError, match=r"spec\.table\.sets") as refused:
        control_plane.admin.create(bad)
    assert refused.value.reason == "Invalid"


@pytest.mark.parametrize("states", [[], ["closed"]])
def test_the_extended_crd_limits_ctstate(control_plane: ControlPlane, states: list[str]) -> None:
    bad = configuration(control_plane.namespace())
    rules(bad)[0]["match"][0]["ctstate"]["value"] = states
    with pytest.raises(ApiError, match=r"ctstate\.value"):
        control_plane.admin.create(bad)


def test_rules_in_cel_are_kept(control_plane: ControlPlane) -> None:
    network = {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"namespace": control_plane.namespace(), "name": "pod-cidr"},
        "spec": {"cidr": "10.244.0.0/16"},
    }
    path = control_plane.admin.path(control_plane.admin.create(network))
    with pytest.raises(ApiError, match="CIDR field is immutable"):
        control_plane.admin.patch(path, {"spec": {"cidr": "10.245.0.0/16"}})
    assert control_plane.admin.patch_status(path, {"cidr": "10.71.0.0/16"})["status"] == {"cidr": "10.71.0.0/16"}


# ---- The webhook ----


def test_the_webhook_admits_by_liqos_rules(control_plane: ControlPlane) -> None:
    admin = control_plane.admin
    good = configuration(control_plane.namespace())
    bad = configuration(control_plane.namespace())
    rules(bad)[1]["match"][0]["ip"]["value"] = "@nosuch"
    with WebhookServer(control_plane):
        stored = admin.create(good)
        with pytest.raises(ApiError, match=r'denied the request: .*"?nosuch') as refused:
            admin.create(bad)
        assert refused.value.status == 403
        with pytest.raises(ApiError, match="the table name is immutable"):
            admin.patch(admin.path(good), {"spec": {"table": {"name": "other"}}})
        twin = deepcopy(good) | {"metadata": {**good["metadata"], "name": "twin"}}
        with pytest.raises(ApiError, match="already used with the same labels"):
            admin.create(twin)
    assert admin.get(admin.path(good))["spec"] == stored["spec"]
    assert admin.create(bad)["spec"] == bad["spec"]  # nobody is asked any more


def test_the_webhook_can_be_down_and_can_deny_everything(control_plane: ControlPlane) -> None:
    admin = control_plane.admin
    good = configuration(control_plane.namespace())
    with WebhookServer(control_plane) as webhook:
        webhook.down()
        with pytest.raises(ApiError, match="failed calling webhook") as failed:
            admin.create(good)
        assert failed.value.status == 500
        webhook.up()
        webhook.refusal = "the cluster is in maintenance"
        with pytest.raises(ApiError, match="the cluster is in maintenance") as denied:
            admin.create(good)
        assert denied.value.status == 403
        webhook.refusal = None
        admin.create(good)
        webhook.down()
        admin.delete(admin.path(good))  # Liqo's webhook is not asked about deletions
