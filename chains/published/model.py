"""What is published of the tables of a peering, as values: a chain with its rules, and slices with the members of its sets.

A slice says of each of its addresses in which sets it is, in all of them at once. A pod is in several sets, so slices by set
would show it to nodes in one before another: with an allow for the one and a deny for the other, that opens what is never
allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_REVISION, MAX_SLICE_ADDRESSES, MAX_SLICES
from liqo_connectivity.chains.values import Address, Family

API_VERSION: Final = "security.liqo.io/v1alpha1"
CHAIN: Final = "ConnectivityChain"
SLICE: Final = "ConnectivitySetSlice"
FAMILIES: Final[Mapping[str, Family]] = {"IPv4": "ip", "IPv6": "ip6"}


@dataclass(frozen=True, slots=True)
class SliceReference:
    """A slice by name, and the least revision of it that a chain may be used with."""

    name: str
    revision: int


@dataclass(frozen=True, slots=True)
class SetSlice:
    """Some addresses, each with the names of all sets of its family's table that it is in: not empty, sorted.

    ``members`` is sorted by address and has at most MAX_SLICE_ADDRESSES. A later version has a greater ``revision``.
    ``chain`` is the name of the ConnectivityChain, in the same namespace.
    """

    namespace: str
    name: str
    chain: str
    revision: int
    members: Mapping[Address, tuple[str, ...]]

    def __post_init__(self) -> None:
        _revision(f"{SLICE} {self.namespace}/{self.name}", self.revision)
        if len(self.members) > MAX_SLICE_ADDRESSES:
            raise ChainError(
                f"{SLICE} {self.namespace}/{self.name}: {len(self.members)} addresses, more than {MAX_SLICE_ADDRESSES}"
            )

    @property
    def reference(self) -> SliceReference:
        """This version of the slice, or a later one."""
        return SliceReference(self.name, self.revision)


@dataclass(frozen=True, slots=True)
class PublishedChain:
    """The tables of a peering, that of ip and that of ip6, with all sets empty, and the slices that say what is in the sets.

    ``slices`` is sorted by name. A later version has a greater ``revision``. It is one object, in the tenant namespace, named
    as the peering.
    """

    tables: tuple[AgentTable, AgentTable]
    revision: int
    slices: tuple[SliceReference, ...]

    def __post_init__(self) -> None:
        four, six = self.tables
        _revision(self.where, self.revision)
        if (four.family, six.family) != ("ip", "ip6") or _owner(four) != _owner(six) or four.counters != six.counters:
            raise ChainError(f"{self.where}: not a table of ip and one of ip6, of the same policy and counters")
        if len(self.slices) > MAX_SLICES:
            raise ChainError(f"{self.where}: {len(self.slices)} slices, more than {MAX_SLICES}; use smaller groups")
        if any(held.elements for table in self.tables for held in table.sets):
            raise ChainError(f"{self.where}: elements of sets are in slices, not in the chain")

    @property
    def where(self) -> str:
        """The object, for an error message."""
        return f"{CHAIN} {self.namespace}/{self.peering}"

    @property
    def namespace(self) -> str:
        """The tenant namespace of the peering."""
        return self.tables[0].namespace

    @property
    def peering(self) -> str:
        """The cluster id of the peering, and the name of the object."""
        return self.tables[0].peering


@dataclass(frozen=True, slots=True)
class Publication:
    """A chain with all its slices, in the order in which it names them."""

    chain: PublishedChain
    slices: tuple[SetSlice, ...]

    @property
    def namespace(self) -> str:
        """The tenant namespace of the peering."""
        return self.chain.namespace


@dataclass(frozen=True, slots=True)
class Incomplete:
    """What a chain cannot be used without: the slices that are missing, or there at an earlier revision only."""

    missing: tuple[SliceReference, ...]


def _owner(table: AgentTable) -> tuple[str, str, str]:
    return table.peering, table.namespace, table.policy


def _revision(where: str, revision: int) -> None:
    if not 1 <= revision <= MAX_REVISION:
        raise ChainError(f"{where}: revision {revision} is not from 1 to {MAX_REVISION}")
