"""What a topology is for those who send through it: clusters whose chains are loaded, flows, and the ways that these take."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, TypeAlias

from tests.dataplane.federation import Federation
from tests.dataplane.nodes import Fabric
from tests.dataplane.shots import Flow
from tests.support.descriptions import Cluster, Traffic

Asked: TypeAlias = tuple[str, Traffic]
"""A flow as a cluster sees it, by the cluster's name."""
Place: TypeAlias = tuple[str, str]
"""A cluster, and an address that a pod of it really has."""


class Outer(NamedTuple):
    """A packet of a tunnel, of UDP, that crosses the chains of a cluster: its ends, its port, and what NAT makes of its source."""

    source: str
    destination: str
    port: int
    late: str


class Topology(ABC):
    """``clusters`` are those whose nodes are here, and whose chains are under test.

    ``masqueraded`` are the addresses that nodes give to what they send in their own name.
    """

    fabric: Fabric
    clusters: tuple[str, ...]
    masqueraded: Mapping[bytes, str]

    def outer(self, cluster: str) -> list[Outer]:
        """The packets of tunnels that cross the chains of a cluster, one of each kind."""
        assert cluster in self.clusters
        return []

    @abstractmethod
    def draw(self, rng: Random, described: Mapping[str, Cluster], count: int) -> list[Asked]:
        """Up to ``count`` flows, each once, as the cluster sees them in which they begin."""

    @abstractmethod
    def flow(self, asked: Asked) -> Flow:
        """The way of a flow, and what each cluster on it sees. Raises KeyError if there is none."""

    @abstractmethod
    def change(self, whole: Federation, moved: Sequence[tuple[Place, str]]) -> None:
        """Take pods to where they are now; ``moved`` are those on another worker, and which that is."""

    @abstractmethod
    def remembers(self, old: Flow, new: Flow) -> bool:
        """Whether all nodes on the new way of a flow know a connection that it has had on the old one."""

    @abstractmethod
    def places(self) -> list[str]:
        """Where each address is, a line each, for a person to read."""

    @abstractmethod
    def load(self, cluster: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """Put the chains of a transaction on all nodes of a cluster, in the place of those there. Raises NftError."""

    def close(self) -> None:
        """Leave all namespaces."""
        self.fabric.close()
