"""The definition over an older one, with objects in place: they stay valid, and mean the same."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.facts.crd.generate import custom_resource_definition
from tests.support.api_client import ApiError, Object
from tests.support.checkout import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.policy_documents import DOCUMENTS, Document
from tests.support.policy_field_documents import FIELD_DOCUMENTS
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

OLDER = Path(ROOT, "tests/data/crd/before-ports.yaml")
STATUS = {"observedGeneration": 1, "rules": 1, "members": 12, "conditions": []}
NEW = next(document for document in FIELD_DOCUMENTS if document.name == "a default and rules")


def stored_by(plane: ControlPlane, namespace: str, document: Document, name: str) -> Object | None:
    """The object as it is stored, if the definition takes it."""
    try:
        return plane.admin.create(document.policy(namespace, name), fieldValidation="Strict")
    except ApiError as error:
        if error.status not in (400, 422):
            raise
        return None


def meaning(found: Object) -> list[object]:
    """What an object asserts, but for the version, which every write changes."""
    decoded = decode_mapping(KIND_BY_NAME["PeeringConnectivity"], found)
    assert decoded.problem is None
    return [(fact.row, fact.field, fact.value) for fact in decoded.facts]


def test_objects_of_the_older_definition_stay_valid_and_mean_the_same(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    plane.install([yaml.load(OLDER.read_text("utf-8"), Loader=yaml.CSafeLoader)])
    namespace = plane.namespace("liqo-tenant")
    before: dict[str, Object] = {}
    for number, document in enumerate(DOCUMENTS):
        found = stored_by(plane, namespace, document, f"policy-{number}")
        if found is not None:
            assert document.refused is None, document
            before[plane.admin.path(found)] = plane.admin.patch_status(plane.admin.path(found), STATUS)
    assert len(before) >= 8
    assert stored_by(plane, namespace, NEW, "new") is None
    newer: Any = custom_resource_definition()
    # As it is installed: kubectl apply, over the older one.
    plane.admin.apply(newer)
    eventually(lambda: stored_by(plane, namespace, NEW, "new") is not None)
    for path, old in before.items():
        now = plane.admin.get(path)
        assert now == old
        assert meaning(now) == meaning(old)
        # A write checks the whole object, and a status does so too.
        labelled = plane.admin.replace({**now, "metadata": {**now["metadata"], "labels": {"seen": "true"}}})
        assert labelled["spec"] == old["spec"]
        told = plane.admin.patch_status(path, {**STATUS, "members": 13})
        assert (told["spec"], told["status"]["members"]) == (old["spec"], 13)
        assert meaning(told) == meaning(old)
        plane.admin.delete(path)
