"""A slice as a ConnectivitySetSlice, and back."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, Literal, TypedDict

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import (
    MAX_CLUSTER_ID,
    MAX_OBJECT_BYTES,
    MAX_REVISION,
    MAX_SET_NAME,
    MAX_SETS,
    MAX_SLICE_ADDRESSES,
)
from liqo_connectivity.chains.published.fields import Place, fields, ip_address, items, placed, text, whole
from liqo_connectivity.chains.published.metadata import (
    Metadata,
    check_hash,
    content_hash,
    named,
    read_metadata,
    size,
    written_metadata,
)
from liqo_connectivity.chains.published.model import API_VERSION, SLICE, SetSlice
from liqo_connectivity.chains.values import Address

SET_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


class MembersField(TypedDict):
    """Addresses that are in the same sets."""

    sets: list[str]
    addresses: list[str]


class SliceContent(TypedDict):
    """The spec of a slice but for its hash. ``chain``: the ConnectivityChain; ``members``: by the sets that they are in."""

    chain: str
    revision: int
    members: list[MembersField]


class SliceSpec(SliceContent):
    """The spec of a ConnectivitySetSlice. ``hash`` is over everything else, so what a server or an editor loses is noticed."""

    hash: str


class SliceObject(TypedDict):
    """A Kubernetes object, ready to be sent."""

    apiVersion: Literal["security.liqo.io/v1alpha1"]
    kind: Literal["ConnectivitySetSlice"]
    metadata: Metadata
    spec: SliceSpec


def slice_object(held: SetSlice) -> SliceObject:
    """The object of a slice. Raises ChainError if it is larger than MAX_OBJECT_BYTES."""
    by_sets: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for address in sorted(held.members):
        by_sets[held.members[address]].append(address.text)
    content: SliceContent = {
        "chain": held.chain,
        "revision": held.revision,
        "members": [{"sets": list(sets), "addresses": found} for sets, found in sorted(by_sets.items())],
    }
    spec: SliceSpec = {**content, "hash": content_hash(content)}
    if size(spec) > MAX_OBJECT_BYTES:
        raise ChainError(
            f"{SLICE} {held.namespace}/{held.name} takes {size(spec)} bytes, more than the {MAX_OBJECT_BYTES} that fit: its "
            "addresses are in too many sets; use fewer parties"
        )
    metadata = written_metadata(held.namespace, held.name, held.chain)
    return {"apiVersion": API_VERSION, "kind": SLICE, "metadata": metadata, "spec": spec}


def read_slice(value: object) -> SetSlice:
    """The slice that an object holds. Raises ChainError, naming the object and the field, for anything that is not one."""
    place, namespace, name, spec = read_metadata(value, SLICE)
    found = fields(place, spec, ("chain", "revision", "members", "hash"))
    chain = named(place.at("chain"), found["chain"], MAX_CLUSTER_ID)
    revision = whole(place.at("revision"), found["revision"], 1, MAX_REVISION)
    members: dict[Address, tuple[str, ...]] = {}
    for at, group in items(place.at("members"), found["members"], MAX_SLICE_ADDRESSES):
        _read_members(at, group, members)
    check_hash(place, found)
    with placed(place):
        return SetSlice(namespace, name, chain, revision, dict(sorted(members.items())))


def _read_members(place: Place, value: object, members: dict[Address, tuple[str, ...]]) -> None:
    found: Mapping[str, object] = fields(place, value, ("sets", "addresses"))
    sets = tuple(
        text(at, each, SET_NAME, MAX_SET_NAME) for at, each in items(place.at("sets"), found["sets"], MAX_SETS, 1)
    )
    if list(sets) != sorted(set(sets)):
        raise place.at("sets").error("the names are not sorted, each once")
    for at, each in items(place.at("addresses"), found["addresses"], MAX_SLICE_ADDRESSES, 1):
        address = ip_address(at, each)
        if address in members:
            raise at.error(f"{address} is there twice")
        members[address] = sets
