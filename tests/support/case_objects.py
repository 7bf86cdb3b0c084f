"""Objects for tests that need many of them, or the same ones before and after an edit, beside a base of ``cases/_base``."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tests.support.case_folder import BASES, documents
from tests.support.case_outcome import Configurations, Said, command, configurations, laid_out

Object: TypeAlias = Mapping[str, Any]
PolicyRule: TypeAlias = tuple[str, str, str]
"""action, source and destination: a group, ``ns:<namespace>``, or ``any``"""


def policy(peering: str, *rules: PolicyRule, name: str = "policy", created: str = "2026-07-10T09:00:00Z") -> Object:
    """A PeeringConnectivity in the tenant namespace of a peering."""
    written = [
        {"action": action}
        | {side: _party(party) for side, party in (("source", source), ("destination", destination)) if party != "any"}
        for action, source, destination in rules
    ]
    metadata = {"name": name, "namespace": f"liqo-tenant-{peering}", "creationTimestamp": created, "uid": f"{name}-uid"}
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": metadata,
        "spec": {"rules": written},
    }


def pod(namespace: str, name: str, address: str, **status: str) -> Object:
    """A running Pod on a physical node; an empty address means none yet."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": "1"},
        "spec": {"nodeName": "worker-1"},
        "status": {"phase": "Running"} | ({"podIP": address, "podIPs": [{"ip": address}]} if address else {}) | status,
    }


def base_texts(base: str) -> list[str]:
    """The documents of a base."""
    return [text for file in sorted((BASES / base).glob("*.yaml")) for text in documents(file.read_text("utf-8"))]


def render(base: str, objects: Sequence[Object], output: str = "yaml") -> Said:
    """What ``render`` says about objects beside a base."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    files = {"base.yaml": "---\n".join(base_texts(base)).encode(), "objects.json": json.dumps(listed).encode()}
    with laid_out(files) as names:
        return command("render", "-o", output, files=names)


def chains(base: str, *objects: Object) -> Configurations:
    """The FirewallConfigurations of objects beside a base, all of which can be rendered."""
    said = render(base, objects)
    assert said.code == 0, said.stderr
    return configurations(said.stdout)


def elements(configuration: Object, party: str) -> list[list[str]]:
    """The elements of each shard of a set, in order."""
    sets = {
        held["name"]: [entry["key"] for entry in held["elements"]] for held in configuration["spec"]["table"]["sets"]
    }
    return [sets[name] for name in sorted(sets, key=_shard) if name.rpartition(".")[0] == party]


def _shard(name: str) -> tuple[str, int]:
    party, _, number = name.rpartition(".")
    return party, int(number)


def _party(name: str) -> dict[str, str]:
    return {"namespace": name.removeprefix("ns:")} if name.startswith("ns:") else {"group": name}
