"""The diff of ``--dry-run``: what would be written, against what is stored.

It compares only what the controller writes of a FirewallConfiguration: its labels, its annotation and its spec.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Final, cast

import yaml

from liqo_connectivity.chains import ChainError
from liqo_connectivity.facts import OWNER_ANNOTATION, ObjectKey
from liqo_connectivity.operator.controller.objects.keys import firewall_key, object_key, policy_key, standin_key
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    OWNER_UID_LABEL,
    READ_LABELS,
    pruned,
    stored_firewall,
)
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.writing.firewall_body import firewall_body
from liqo_connectivity.operator.controller.writing.firewall_writer import foreign
from liqo_connectivity.operator.controller.writing.object_client import FIREWALL_API, ObjectClient, firewall_path
from liqo_connectivity.operator.kube.errors import NotFound

_LABELS: Final = (*READ_LABELS, OWNER_UID_LABEL)


@dataclass(frozen=True, slots=True)
class Preview:
    """A FirewallConfiguration that would change: the lines of its diff, or why it cannot be written as desired."""

    key: ObjectKey
    lines: tuple[str, ...] = ()
    problem: str = ""


def previews(state: State, client: ObjectClient) -> Iterator[Preview]:
    """Compare every FirewallConfiguration that is desired or to be removed with the stored one. Raises ApiError.

    Of a peering whose chain is to be replaced, they show the object after that: a stand-in only goes.
    """
    for peering, namespace, policy in state.rows("writable"):
        key = firewall_key(namespace, peering)
        stored = _read(client, key)
        if stored is not None and not stored_firewall(stored).managed:
            yield Preview(key, problem=foreign(key))
            continue
        try:
            desired = state.desired.firewall(str(peering))
        except ChainError as error:
            yield Preview(key, problem=str(error))
            continue
        owner = state.policies[policy_key(policy)]
        yield from _compared(key, _lines(key, stored), _lines(key, firewall_body(desired, owner, None)))
        other = standin_key(key)
        if other in state.firewalls:
            yield from _compared(other, _lines(other, _read(client, other)), [])
    for firewall, _ in state.rows("removal"):
        key = object_key(FIREWALL, firewall)
        yield from _compared(key, _lines(key, _read(client, key)), [])


def _read(client: ObjectClient, key: ObjectKey) -> Mapping[str, object] | None:
    try:
        return client.get(firewall_path(key))
    except NotFound:
        return None


def _compared(key: ObjectKey, stored: list[str], desired: list[str]) -> Iterator[Preview]:
    name = f"{key.namespace}/{key.name}"
    lines = tuple(unified_diff(stored, desired, f"{name} (stored)", f"{name} (desired)", lineterm=""))
    if lines:
        yield Preview(key, lines)


def _lines(key: ObjectKey, found: Mapping[str, object] | None) -> list[str]:
    """What the controller writes of an object, as YAML with sorted keys; nothing if there is none."""
    if found is None:
        return []
    metadata = _mapping(found.get("metadata"))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    shown = {
        "apiVersion": FIREWALL_API,
        "kind": FIREWALL,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {name: labels[name] for name in sorted(_LABELS) if name in labels},
            "annotations": {name: annotations[name] for name in (OWNER_ANNOTATION,) if name in annotations},
        },
        "spec": pruned(found.get("spec")),
    }
    text: str = yaml.dump(shown, Dumper=yaml.CSafeDumper)
    return text.splitlines()


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
