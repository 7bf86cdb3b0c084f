"""Publishes the tables of peerings for agents on nodes: slices first, then the chain that names them, then what no chain names goes.

Whatever happens between two requests, agents have a complete version: the one before or the new one. Everything is computed from what
is stored, so a publication that is interrupted anywhere is simply repeated.

Objects are replaced whole, guarded by the resourceVersion that was read: nobody else writes them, and server-side apply would leave
what somebody added. So of two writers the slower one fails and reads again.
"""

import time
from collections.abc import Callable, Mapping
from typing import Literal, cast

from liqo_connectivity import chains
from liqo_connectivity.operator.controller.objects.stored import StoredPolicy
from liqo_connectivity.operator.controller.writing.firewall_writer import WriteBlocked
from liqo_connectivity.operator.controller.writing.object_client import POLICY_API, quote
from liqo_connectivity.operator.controller.writing.published_objects import (
    PublishingClient,
    StoredPublication,
    Version,
    chains_path,
    read_publication,
    slices_path,
    version_of,
)
from liqo_connectivity.operator.kube.errors import NotFound

Key = tuple[str, str]
"""The tenant namespace and the cluster id of a peering."""


class ChainPublisher:
    """Writes chains and slices, and remembers what is stored until a request fails.

    ``wall`` gives seconds since 1970. Revisions are milliseconds since then, or one more than the greatest that is stored: so they rise
    even if a chain is deleted and made again.
    """

    def __init__(self, client: PublishingClient, wall: Callable[[], float] = time.time) -> None:
        self._client = client
        self._wall = wall
        self._known: dict[Key, tuple[str, StoredPublication]] = {}

    def publish(
        self, tables: tuple[chains.AgentTable, chains.AgentTable], owner: StoredPolicy
    ) -> Literal["published", "unchanged"]:
        """Publish the tables of a peering, that of ip and that of ip6, for its policy.

        Raises ChainError for tables that do not fit, before anything is written; WriteBlocked for a chain that must not be
        written; and ApiError, after which it is to be repeated.
        """
        key = tables[0].namespace, tables[0].peering
        uid, stored = self._known.pop(key, ("", StoredPublication()))
        if uid != owner.uid:
            stored = read_publication(self._client, *key, owner.uid)
        if stored.blocked:
            raise WriteBlocked(stored.blocked)
        before = stored.publication
        revision = max(int(self._wall() * 1000), stored.revision + 1)
        after = chains.publication(tables, revision, before)
        surplus = stored.slices.keys() - {each.name for each in after.slices}
        if after is before and not surplus:
            self._known[key] = owner.uid, stored
            return "unchanged"
        made = self._write(key, stored, after, owner)
        for name in sorted(surplus):
            self._delete(f"{slices_path(key[0])}/{quote(name)}", stored.slices[name])
        self._known[key] = owner.uid, made
        return "published"

    def withdraw(self, namespace: str, peering: str) -> None:
        """Delete the chain of a peering, if it is ours, and then its slices. Raises ApiError, after which it is to be repeated."""
        self._known.pop((namespace, peering), None)
        stored = read_publication(self._client, namespace, peering, "")
        if stored.chain is not None and not stored.blocked:
            self._delete(f"{chains_path(namespace)}/{quote(peering)}", stored.chain)
        for name, version in sorted(stored.slices.items()):
            self._delete(f"{slices_path(namespace)}/{quote(name)}", version)

    def forget(self, namespace: str, peering: str) -> None:
        """What is stored of a peering is perhaps not what was written: read it before the next request."""
        self._known.pop((namespace, peering), None)

    def _write(
        self, key: Key, stored: StoredPublication, after: chains.Publication, owner: StoredPolicy
    ) -> StoredPublication:
        """Write what differs; what is stored then."""
        before = stored.publication
        old = {each.name: each for each in before.slices} if before is not None else {}
        # All of them before the first request: one of them may not fit.
        changed = [(each.name, chains.slice_object(each)) for each in after.slices if old.get(each.name) != each]
        chain = None if before is not None and before.chain == after.chain else chains.chain_object(after.chain)
        versions = {each.name: stored.slices[each.name] for each in after.slices if each.name in old}
        for name, body in changed:
            versions[name] = self._put(slices_path(key[0]), dict(body), owner, versions.get(name))
        version = stored.chain
        if chain is not None:
            version = self._put(chains_path(key[0]), dict(chain), owner, version)
        revision = max(after.chain.revision, *(each.revision for each in after.slices), stored.revision)
        return StoredPublication(after, revision, version, versions)

    def _put(self, path: str, body: dict[str, object], owner: StoredPolicy, version: Version | None) -> Version:
        """Create an object, or replace the one of a version."""
        metadata = dict(cast("Mapping[str, object]", body["metadata"]))
        metadata["ownerReferences"] = [
            {
                "apiVersion": POLICY_API,
                "kind": owner.key.kind,
                "name": owner.key.name,
                "uid": owner.uid,
                "controller": True,
            }
        ]
        if version is None:
            return version_of(self._client.create(path, {**body, "metadata": metadata}))
        guarded = {**metadata, "uid": version.uid, "resourceVersion": version.resource_version}
        name = quote(str(metadata["name"]))
        return version_of(self._client.replace(f"{path}/{name}", {**body, "metadata": guarded}))

    def _delete(self, path: str, version: Version) -> None:
        try:
            self._client.delete(path, uid=version.uid)
        except NotFound:
            return
