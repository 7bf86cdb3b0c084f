"""What is stored of a peering for agents, read as a publication, and what it takes to change it: versions, and the greatest revision.

Objects that anybody has altered are not part of a publication. They count for the revision, which must be greater than all that an
agent may have seen, and they are removed as what no chain names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, cast

from liqo_connectivity import chains
from liqo_connectivity.operator.controller.objects.stored import MANAGED_BY_LABEL, MANAGER
from liqo_connectivity.operator.controller.writing.object_client import quote
from liqo_connectivity.operator.kube.errors import NotFound
from liqo_connectivity.operator.kube.response import Json

API: Final = "/apis/security.liqo.io/v1alpha1"


class PublishingClient(Protocol):
    """The part of ``RestClient`` that writes for agents need, which describes its methods. They raise ApiError."""

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Json:
        """Get an object, or a list."""
        ...

    def create(self, path: str, body: Mapping[str, object]) -> Json:
        """Create an object."""
        ...

    def replace(self, path: str, body: Mapping[str, object]) -> Json:
        """Replace an object."""
        ...

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        """Delete an object."""
        ...


class Version(NamedTuple):
    """Which object is stored, and in which version."""

    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class StoredPublication:
    """What is stored of one peering.

    ``publication`` is None if a part of it is missing, altered, being deleted, or of another owner. ``revision`` is the greatest of all
    objects, 0 if there are none. ``chain`` is None if there is none. ``slices`` has all of ours for this peering, by name.
    ``blocked`` says why the chain must not be written, if it must not.
    """

    publication: chains.Publication | None = None
    revision: int = 0
    chain: Version | None = None
    slices: Mapping[str, Version] = field(default_factory=dict[str, Version])
    blocked: str = ""


def chains_path(namespace: str) -> str:
    """The path of the ConnectivityChains of a namespace."""
    return f"{API}/namespaces/{quote(namespace)}/connectivitychains"


def slices_path(namespace: str) -> str:
    """The path of the ConnectivitySetSlices of a namespace."""
    return f"{API}/namespaces/{quote(namespace)}/connectivitysetslices"


def read_publication(client: PublishingClient, namespace: str, peering: str, owner_uid: str) -> StoredPublication:
    """Read what is stored of a peering for the policy of a uid. Raises ApiError."""
    try:
        chain: Json | None = client.get(f"{chains_path(namespace)}/{quote(peering)}")
    except NotFound:
        chain = None
    query = (("labelSelector", f"{chains.CHAIN_LABEL}={peering},{MANAGED_BY_LABEL}={MANAGER}"),)
    listed = client.get(slices_path(namespace), query).get("items")
    slices = [cast("Json", each) for each in cast("list[object]", listed)] if isinstance(listed, list) else []
    # A list may leave out the kind of its items.
    slices = [{**each, "apiVersion": chains.API_VERSION, "kind": chains.SLICE} for each in slices]
    whole = [each for each in (chain, *slices) if each is not None]
    return StoredPublication(
        publication=_publication(chain, slices, owner_uid) if chain is not None else None,
        revision=max((_revision(each) for each in whole), default=0),
        chain=version_of(chain) if chain is not None else None,
        slices={str(_metadata(each).get("name")): version_of(each) for each in slices},
        blocked=_blocked(f"{chains.CHAIN} {namespace}/{peering}", chain) if chain is not None else "",
    )


def version_of(stored: Json) -> Version:
    """The version of an object, as the server answers it."""
    metadata = _metadata(stored)
    return Version(str(metadata.get("uid", "")), str(metadata.get("resourceVersion", "")))


def _publication(chain: Json, slices: Iterable[Json], owner_uid: str) -> chains.Publication | None:
    try:
        read = chains.read_chain(chain) if _is_of(chain, owner_uid) else None
    except chains.ChainError:
        return None
    if read is None:
        return None
    found: dict[str, chains.SetSlice] = {}
    for each in slices:
        try:
            held = chains.read_slice(each)
        except chains.ChainError:
            continue
        if _is_of(each, owner_uid):
            found[held.name] = held
    named = [found.get(each.name) for each in read.slices]
    there = tuple(each for each in named if each is not None)
    key = read.namespace, read.peering
    objects = chains.PublishedObjects({key: read}, {(each.namespace, each.name): each for each in there})
    try:
        return chains.Publication(read, there) if isinstance(objects.tables(key), tuple) else None
    except chains.ChainError:
        return None


def _is_of(stored: Json, owner_uid: str) -> bool:
    metadata = _metadata(stored)
    owners = metadata.get("ownerReferences")
    uids = [cast("Json", each).get("uid") for each in cast("list[object]", owners)] if isinstance(owners, list) else []
    return uids == [owner_uid] and "deletionTimestamp" not in metadata


def _blocked(name: str, chain: Json) -> str:
    if _labels(chain).get(MANAGED_BY_LABEL) != MANAGER:
        return (
            f"{name} exists without the label {MANAGED_BY_LABEL}={MANAGER}, so it is not ours and is left alone; delete it to have "
            "the policy enforced"
        )
    if "deletionTimestamp" in _metadata(chain):
        return f"{name} is still being deleted and is created again afterwards"
    return ""


def _revision(stored: Json) -> int:
    spec = stored.get("spec")
    revision = cast("Json", spec).get("revision") if isinstance(spec, dict) else None
    return revision if type(revision) is int else 0


def _metadata(stored: Json) -> Json:
    metadata = stored.get("metadata")
    return cast("Json", metadata) if isinstance(metadata, dict) else {}


def _labels(stored: Json) -> Json:
    labels = _metadata(stored).get("labels")
    return cast("Json", labels) if isinstance(labels, dict) else {}
