"""What both kinds of objects have around their spec: version, kind, name, labels."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, TypedDict, cast

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.published.fields import Place, fields, text, word
from liqo_connectivity.chains.published.model import API_VERSION

CHAIN_LABEL: Final = "security.liqo.io/chain"
"""The label with the name of the chain that an object belongs to: by it, the slices of a chain are found."""
LABELS: Final = {"app.kubernetes.io/managed-by": "liqo-connectivity-engine"}
MAX_NAME: Final = 253
MAX_NAMESPACE: Final = 63
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


_HASH: Final = re.compile(r"[0-9a-f]{16}")
_DIGITS: Final = 16
"""Hexadecimal digits of the hash: it is there to notice what was lost, not to keep anybody from forging."""


class Metadata(TypedDict):
    """The parts of an object's metadata that this room writes."""

    name: str
    namespace: str
    labels: dict[str, str]


def written_metadata(namespace: str, name: str, chain: str) -> Metadata:
    """The metadata of a chain or of one of its slices."""
    return {"name": name, "namespace": namespace, "labels": {**LABELS, CHAIN_LABEL: chain}}


def size(spec: object) -> int:
    """The bytes of a spec as it is sent."""
    return len(_serialized(spec))


def content_hash(content: Mapping[str, object]) -> str:
    """The hash of a spec: over all fields but the hash itself, the same for equal ones."""
    whole = {name: value for name, value in content.items() if name != "hash"}
    return sha256(_serialized(whole)).hexdigest()[:_DIGITS]


def check_hash(place: Place, content: Mapping[str, object]) -> None:
    """Raise ChainError if the hash in a spec is not that of the spec."""
    stated = text(place.at("hash"), content["hash"], _HASH, _DIGITS)
    if content_hash(content) != stated:
        raise place.at("hash").error(f"{stated} is not that of the spec: a part of it was lost or edited")


def read_metadata(value: object, kind: str) -> tuple[Place, str, str, object]:
    """The place of an object's spec, its namespace, its name and the spec itself.

    What else the API server keeps in an object's metadata is passed over. Raises ChainError for an object of another kind or
    version.
    """
    metadata = _metadata(value)
    name, namespace = metadata.get("name"), metadata.get("namespace")
    shown = [each if isinstance(each, str) and NAME.fullmatch(each) else "?" for each in (namespace, name)]
    place = Place(f"{kind} {'/'.join(shown)}")
    found = fields(place, value, ("apiVersion", "kind", "metadata", "spec"))
    word(place.at("apiVersion"), found["apiVersion"], {API_VERSION: API_VERSION})
    word(place.at("kind"), found["kind"], {kind: kind})
    return (
        place.at("spec"),
        named(place.at("metadata").at("namespace"), namespace, MAX_NAMESPACE),
        named(place.at("metadata").at("name"), name, MAX_NAME),
        found["spec"],
    )


def named(place: Place, value: object, most: int) -> str:
    """The name of an object."""
    return text(place, value, NAME, most)


def kind_of(value: object) -> str:
    """The kind of an object, as it says. Raises ChainError if it says none."""
    kind = cast("dict[object, object]", value).get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise ChainError("a document is not an object of Kubernetes: it has no kind")
    return kind


def _metadata(value: object) -> dict[object, object]:
    metadata = cast("dict[object, object]", value).get("metadata") if isinstance(value, dict) else None
    return cast("dict[object, object]", metadata) if isinstance(metadata, dict) else {}


def _serialized(spec: object) -> bytes:
    return json.dumps(spec, sort_keys=True, separators=(",", ":")).encode("ascii")
