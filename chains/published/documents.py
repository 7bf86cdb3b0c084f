"""Publications as text, and the objects of a text or a list: what ``render`` prints, ``kubectl`` and an agent take."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import yaml

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.published.chain_object import ChainObject, chain_object
from liqo_connectivity.chains.published.chain_reading import read_chain
from liqo_connectivity.chains.published.joining import Key, joined
from liqo_connectivity.chains.published.metadata import kind_of
from liqo_connectivity.chains.published.model import CHAIN, SLICE, Incomplete, Publication, PublishedChain, SetSlice
from liqo_connectivity.chains.published.slice_object import SliceObject, read_slice, slice_object


@dataclass(frozen=True, slots=True)
class PublishedObjects:
    """Chains and slices by namespace and name."""

    chains: Mapping[Key, PublishedChain]
    slices: Mapping[Key, SetSlice]

    def tables(self, key: Key) -> tuple[AgentTable, AgentTable] | Incomplete:
        """The tables of a chain, or what is missing of them. Raises ChainError as ``joined``."""
        return joined(self.chains[key], self.slices)


def published_objects(publication: Publication) -> list[SliceObject | ChainObject]:
    """The objects of a publication in the order in which they are to be written: the chain after the slices that it names.

    Raises ChainError for one that is too large.
    """
    return [*map(slice_object, publication.slices), chain_object(publication.chain)]


def published_yaml(publications: Iterable[Publication]) -> str:
    """One YAML document for each object, in the order given; no text for no publication. Raises as ``published_objects``."""
    return "".join(
        yaml.dump(each, Dumper=yaml.CSafeDumper, sort_keys=False, explicit_start=True)
        for publication in publications
        for each in published_objects(publication)
    )


def published_json(publications: Iterable[Publication]) -> str:
    """A Kubernetes ``List`` of the objects, in the order given, indented. Raises as ``published_objects``."""
    items = [each for publication in publications for each in published_objects(publication)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


def read_published(documents: Iterable[object]) -> PublishedObjects:
    """The chains and slices that parsed documents hold, those in a ``List`` among them; in any order.

    Raises ChainError for anything else, for two objects of one name, and for two chains of one peering.
    """
    chains: dict[Key, PublishedChain] = {}
    slices: dict[Key, SetSlice] = {}
    for value in _flat(documents):
        kind = kind_of(value)
        if kind == CHAIN:
            chain = read_chain(value)
            if any(chain.peering == peering for _, peering in chains):
                raise ChainError(f"{chain.where}: a second chain for this peering; their tables would have one name")
            chains[chain.namespace, chain.peering] = chain
        elif kind == SLICE:
            held = read_slice(value)
            if (held.namespace, held.name) in slices:
                raise ChainError(f"{SLICE} {held.namespace}/{held.name} is there twice")
            slices[held.namespace, held.name] = held
        else:
            raise ChainError(f"{kind!a} is neither {CHAIN} nor {SLICE}; give what render --enforcer agent prints")
    return PublishedObjects(chains, slices)


def _flat(documents: Iterable[object]) -> Iterator[object]:
    for value in documents:
        items = _items(value)
        if items is None:
            yield value
        else:
            yield from items


def _items(value: object) -> list[object] | None:
    """The items of a ``List``; None if it is none."""
    if kind_of(value) != "List":
        return None
    items = cast("dict[object, object]", value).get("items")
    return cast("list[object]", items) if isinstance(items, list) else None
