"""Names come from annotations, which anyone who may write in one tenant namespace fills in: none becomes another path."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import OWNER_ANNOTATION, ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    MANAGED_BY_LABEL,
    MANAGER,
    POLICY,
    stored_firewall,
)
from liqo_connectivity.operator.controller.writing.object_client import (
    events_path,
    firewall_path,
    is_name,
    policy_path,
)
from liqo_connectivity.operator.controller.writing.orphans import is_orphan
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, scripted_api

OWNERS = (
    *("guard?watch=true", "?watch=true&timeoutSeconds=9999", "guard#", "../peeringconnectivities?watch=1"),
    *(
        "../../../../../../api/v1/secrets",
        "..",
        ".",
        "a/b",
        "%2e%2e",
        "guard/status",
        "a b",
        "A",
        "-a",
        "a\n",
        "é",
        "x" * 254,
    ),
)


@pytest.mark.parametrize("owner", OWNERS)
def test_an_owner_that_can_be_no_name_is_looked_for_nowhere(owner: str, tmp_path: Path) -> None:
    """A watch in its place would keep the control loop waiting for a whole request timeout, again and again."""
    metadata = {"name": "x", "namespace": "t", "uid": "u", "labels": {MANAGED_BY_LABEL: MANAGER}}
    stored = stored_firewall({"metadata": {**metadata, "annotations": {OWNER_ANNOTATION: owner}}, "spec": {}})
    with scripted_api(Exchange.hang) as server:
        assert is_orphan(RestClient(server.client(tmp_path)), stored, None)
        assert server.requests == []


@pytest.mark.parametrize("name", ["guard", "a", "0.b-c.d", "x" * 253])
def test_a_name_of_an_object_is_one(name: str) -> None:
    assert is_name(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_text_adds_to_a_path(namespace: str, name: str) -> None:
    paths = [
        firewall_path(ObjectKey(FIREWALL, namespace, name)),
        policy_path(ObjectKey(POLICY, namespace, name)),
        events_path(namespace),
    ]
    assert [path.count("/") for path in paths] == [7, 7, 6]
    assert not any(character in path for path in paths for character in "?#")
