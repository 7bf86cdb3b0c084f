"""What an agent knows of the published chains, and which of them are complete: values in, values out, no requests.

Chains and slices come by two watches, in any order. What is complete at a moment is exactly what was published at some moment, as long
as each list is taken over as a whole and each change in its order.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.chains import (
    CHAIN,
    SLICE,
    AgentTable,
    ChainError,
    Incomplete,
    PublishedChain,
    PublishedObjects,
    SetSlice,
    read_chain,
    read_slice,
)

Key = tuple[str, str]
"""Namespace and name of an object."""
Pair = tuple[AgentTable, AgentTable]
KINDS: Final = (CHAIN, SLICE)
_SHOWN: Final = 3
"""How many missing slices a problem names."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The tables of all peerings whose chains are complete, and why those of others are not, by peering.

    A peering that is in neither has no chain.
    """

    tables: tuple[AgentTable, ...]
    problems: dict[str, str]


class PublishedCache:
    """All chains and slices as they were seen last. An object that cannot be read counts as there, but not as complete."""

    def __init__(self) -> None:
        self._chains: dict[Key, PublishedChain | str] = {}
        self._slices: dict[Key, SetSlice | str] = {}
        self._listed: set[str] = set()
        # Which of several chains of one peering is in use: the first that was complete.
        self._used: dict[str, Key] = {}
        self._joined: dict[Key, Pair | str] = {}

    def replace(self, kind: str, objects: Iterable[object]) -> None:
        """These are all objects of a kind, as one list had them: whatever else is known of it has gone."""
        found = {_key(each): each for each in objects}
        for key in [each for each in self._held(kind) if each not in found]:
            self._forget(kind, key)
        for key, value in found.items():
            self._put(kind, key, value)
        self._listed.add(kind)

    def change(self, kind: str, value: object) -> None:
        """A watch shows an object. One of an earlier revision than is known is passed over: a watch may repeat what was."""
        if not self._is_late(kind, value):
            self._put(kind, _key(value), value)

    def remove(self, kind: str, value: object) -> None:
        """A watch shows that an object was deleted; ``value`` is its last state. If it is there at a later revision, it stays."""
        if not self._is_late(kind, value):
            self._forget(kind, _key(value))

    def complete(self) -> Complete | None:
        """What is complete now. None until all objects of both kinds were listed once: a part of them says nothing."""
        if not self._listed >= set(KINDS):
            return None
        tables: list[AgentTable] = []
        problems: dict[str, str] = {}
        by_peering: defaultdict[str, list[Key]] = defaultdict(list)
        for key in sorted(self._chains):
            by_peering[key[1]].append(key)
        for peering in self._used.keys() - by_peering.keys():
            del self._used[peering]
        for peering, keys in by_peering.items():
            key = keys[0] if len(keys) == 1 else self._used.get(peering, keys[0])
            if len(keys) > 1:
                problems[peering] = (
                    f"{CHAIN}s {' and '.join(map('/'.join, keys))} are of one peering; delete one of them"
                )
                if self._used.get(peering) not in keys:
                    continue
            found = self._joined.get(key)
            if found is None:
                found = self._joined[key] = self._join(key)
            if isinstance(found, str):
                problems[peering] = found
            else:
                self._used[peering] = key
                tables += found
        return Complete(tuple(tables), problems)

    def _join(self, key: Key) -> Pair | str:
        """The tables of a chain, or why there are none."""
        chain = self._chains[key]
        if isinstance(chain, str):
            return chain
        named = [(key[0], each.name) for each in chain.slices]
        held = {name: self._slices[name] for name in named if name in self._slices}
        unreadable = [each for each in held.values() if isinstance(each, str)]
        if unreadable:
            return unreadable[0]
        slices = {name: each for name, each in held.items() if not isinstance(each, str)}
        try:
            found = PublishedObjects({key: chain}, slices).tables(key)
        except ChainError as error:
            return str(error)
        if not isinstance(found, Incomplete):
            return found
        names = [f"{each.name} at revision {each.revision}" for each in found.missing]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{SLICE}s are missing: {', '.join(names[:_SHOWN])}{more}"

    def _put(self, kind: str, key: Key, value: object) -> None:
        if kind == CHAIN:
            self._joined.pop(key, None)
            self._chains[key] = _read_chain(value)
        else:
            self._touch(key, self._slices.get(key))
            self._slices[key] = _read_slice(value)
            self._touch(key, self._slices[key])

    def _forget(self, kind: str, key: Key) -> None:
        if kind == CHAIN:
            self._joined.pop(key, None)
            self._chains.pop(key, None)
        else:
            self._touch(key, self._slices.pop(key, None))

    def _touch(self, key: Key, held: SetSlice | str | None) -> None:
        """A slice changes: what was joined with it has to be joined once more."""
        if isinstance(held, SetSlice):
            self._joined.pop((key[0], held.chain), None)
        elif held is not None:
            # Nobody knows whose it is.
            self._joined.clear()

    def _is_late(self, kind: str, value: object) -> bool:
        known = self._held(kind).get(_key(value))
        return known is not None and not isinstance(known, str) and _revision(value) < known.revision

    def _held(self, kind: str) -> dict[Key, PublishedChain | str] | dict[Key, SetSlice | str]:
        return self._chains if kind == CHAIN else self._slices


def _read_chain(value: object) -> PublishedChain | str:
    try:
        return read_chain(value)
    except ChainError as error:
        return str(error)


def _read_slice(value: object) -> SetSlice | str:
    try:
        return read_slice(value)
    except ChainError as error:
        return str(error)


def _key(value: object) -> Key:
    metadata = _object(_object(value).get("metadata"))
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _revision(value: object) -> int:
    """The revision that an object says; of one without any, the object itself says what is wrong."""
    revision = _object(_object(value).get("spec")).get("revision")
    return revision if type(revision) is int else 2**63


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
