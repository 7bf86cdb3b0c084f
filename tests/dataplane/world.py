"""A topology with policies: whose chains are loaded, and what each flow has to do by what its clusters say of it."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from tests.dataplane.federation import Federation
from tests.dataplane.mesh import Mesh
from tests.dataplane.oracle import Oracle
from tests.dataplane.probing import Flow
from tests.dataplane.sites import Site
from tests.dataplane.topology import Asked, Topology
from tests.dataplane.views import described
from tests.support.descriptions import Cluster, Traffic


def built(whole: Federation, behind: str | None) -> Topology:
    """The namespaces of a federation: all of its nodes, or one cluster behind a router."""
    return Site(whole, behind) if behind else Mesh(whole)


class World:
    """A topology and the policies of a moment. ``nft`` says that nft enforces everywhere, not Liqo's agents."""

    def __init__(self, topology: Topology, whole: Federation, *, nft: bool) -> None:
        self.topology = topology
        self.whole = whole
        self.nft = nft

    @cached_property
    def described(self) -> Mapping[str, Cluster]:
        """The clusters whose chains are under test, as they see themselves."""
        return {name: described(self.whole, name) for name in self.topology.clusters}

    def oracles(self, asked: Sequence[Asked]) -> tuple[list[Flow], Mapping[str, Oracle]]:
        """The ways of flows, and what every cluster says of all that it sees of them."""
        flows = [self.topology.flow(one) for one in asked]
        seen: dict[str, dict[Traffic, None]] = {name: {} for name in self.topology.clusters}
        for flow in flows:
            for name, traffic in flow.asked:
                seen[name][traffic] = None
        oracles = {name: Oracle(self.described[name], list(found), nft=self.nft) for name, found in seen.items()}
        return flows, oracles

    def load(self, oracles: Mapping[str, Oracle]) -> None:
        """Put the chains of every cluster on its nodes. Raises NftError."""
        for name, oracle in oracles.items():
            self.topology.load(name, oracle.commands)


def known(flows: Sequence[Flow], oracles: Mapping[str, Oracle]) -> list[Flow]:
    """The flows of which it is known whether their packets arrive: all clusters allow them, or one denies them."""
    found: list[Flow] = []
    for flow in flows:
        said = {oracles[name].verdicts[traffic] for name, traffic in flow.asked}
        if "denied" in said or said == {"allowed"}:
            found.append(flow._replace(allowed="denied" not in said))
    return found
