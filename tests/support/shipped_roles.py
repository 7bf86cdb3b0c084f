"""The roles of the controller as they are shipped. It must not know what the controller needs."""

from typing import TypeAlias

from tests.support.api_client import Object
from tests.support.manifest_tools import DEPLOY, NAME, NAMESPACE, kustomize, objects

Permission: TypeAlias = tuple[str, str]
"""Resource and verb."""


def shipped() -> dict[str, list[Object]]:
    """The rules of the roles, by namespace, which is empty for the cluster's."""
    found = objects(kustomize(DEPLOY))
    return {
        namespace: found[kind, namespace, NAME]["rules"]
        for kind, namespace in (("ClusterRole", ""), ("Role", NAMESPACE), ("Role", "kube-system"))
    }


def permissions(rules: list[Object]) -> set[Permission]:
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
