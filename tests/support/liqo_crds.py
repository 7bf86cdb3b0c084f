"""Liqo's own CRDs, and the FirewallConfiguration CRD that its open pull requests 3155 and 3144 make of it.

The CRDs come out of Liqo's Go module when a test asks for them; none is kept here. Nothing but the two additions that
our rules need is derived: named sets of IPv4 addresses, and a match on the connection tracking state.
"""

from collections.abc import Iterable
from copy import deepcopy
from functools import cache

import yaml
from tools.control_plane_binaries import LIQO_SUMS, liqo_crds

from tests.support.api_client import Object

VERSIONS = tuple(LIQO_SUMS)
NEWEST = VERSIONS[0]

_SETS: Object = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "keyType"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[a-zA-Z][a-zA-Z0-9/\\_.]*$"},
            "keyType": {"type": "string", "enum": ["ipv4_addr"]},
            "dataType": {"type": "string", "enum": ["ipv4_addr"]},
            "elements": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["key"],
                    "properties": {"key": {"type": "string"}, "data": {"type": "string"}},
                },
            },
        },
    },
}
_CTSTATE: Object = {
    "type": "object",
    "required": ["value"],
    "properties": {
        "value": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "enum": ["new", "established", "related", "untracked", "invalid"]},
        }
    },
}


def crds(version: str = NEWEST) -> list[Object]:
    """The CRDs that the release installs, by name."""
    return deepcopy(_read(version))


@cache
def _read(version: str) -> list[Object]:
    files = sorted(liqo_crds(version).glob("*.yaml"))
    loaded = [yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for file in files]
    return sorted(loaded, key=lambda crd: str(crd["metadata"]["name"]))


def with_sets_and_ctstate(crds: Iterable[Object]) -> list[Object]:
    """The same CRDs, where FirewallConfiguration has sets, and matches have ctstate, as an installation patches them."""
    extended = deepcopy(list(crds))
    [firewall] = [crd for crd in extended if crd["spec"]["names"]["kind"] == "FirewallConfiguration"]
    for version in firewall["spec"]["versions"]:
        table = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["table"]["properties"]
        table["sets"] = deepcopy(_SETS)
        rules = table["chains"]["items"]["properties"]["rules"]["properties"]
        for kind in ("filterRules", "natRules"):
            rules[kind]["items"]["properties"]["match"]["items"]["properties"]["ctstate"] = deepcopy(_CTSTATE)
    return extended
