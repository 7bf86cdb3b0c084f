"""A topology with policies: whose chains are loaded, and what each flow has to do by what its clusters say of it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial

from liqo_connectivity.operator.explain.endpoints import Endpoint, Port
from liqo_connectivity.operator.explain.services import service_targets
from tests.dataplane.federation import Federation, RealService
from tests.dataplane.mesh import Mesh
from tests.dataplane.oracle import Oracle
from tests.dataplane.shots import Flow
from tests.dataplane.sites import Site
from tests.dataplane.topology import Asked, Topology
from tests.dataplane.views import described
from tests.support.clusters import base_of, solve
from tests.support.descriptions import Cluster, Traffic
from tests.support.forced_parts import Form
from tests.support.manifests import objects


def built(whole: Federation, behind: str | None) -> Topology:
    """The namespaces of a federation: all of its nodes, or one cluster behind a router."""
    return Site(whole, behind) if behind else Mesh(whole)


class World:
    """A topology and the policies of a moment. ``nft``, ``agent`` and ``parts`` say who enforces everywhere, as in an oracle."""

    def __init__(
        self, topology: Topology, whole: Federation, *, nft: bool, agent: bool = False, parts: Form | None = None
    ) -> None:
        self.topology = topology
        self.whole = whole
        self.nft = nft
        self.agent = agent
        self.parts = parts

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
        oracles = {
            name: Oracle(self.described[name], list(found), nft=self.nft, agent=self.agent, parts=self.parts)
            for name, found in seen.items()
        }
        return flows, oracles

    def load(self, oracles: Mapping[str, Oracle]) -> None:
        """Put the chains of every cluster on its nodes. Raises NftError."""
        for name, oracle in oracles.items():
            self.topology.load(name, oracle.commands)


def misresolved(cluster: Cluster, services: Sequence[RealService]) -> Iterator[tuple[Traffic, str]]:
    """The Services of a cluster that `why` resolves to other endpoints than nodes do, each as a flow to itself, and to which."""
    base = base_of(objects(cluster))
    for service in services:
        port = Port(service.port, service.protocol)
        asked = Endpoint(f"ip:{service.address}", "ip", service.address)
        found = service_targets(partial(solve, base), base, asked, port)
        expected = {(endpoint, Port(service.target, service.protocol)) for endpoint in service.endpoints}
        # Of a Service without endpoints nothing is known.
        if set(found) != (expected or {(service.address, port)}):
            traffic = Traffic(service.address, service.address, "new", service.protocol, service.port)
            yield traffic, f"why resolves it to {found}, nodes to {sorted(expected)}"


def known(flows: Sequence[Flow], oracles: Mapping[str, Oracle]) -> list[Flow]:
    """The flows of which it is known whether their packets arrive: all clusters allow them, or one denies them.

    A cluster says so of a flow as it is sent, or, if that is unknown there, of what its chains see of it.
    """
    found: list[Flow] = []
    for flow in flows:
        sent = oracles[flow.name].verdicts[flow.traffic]
        said = {sent} if sent != "unknown" or not flow.crossed else set[str]()
        said |= {oracles[n].verdicts[traffic] for n, traffic in flow.crossed if n != flow.name or sent == "unknown"}
        if "denied" in said or said == {"allowed"}:
            found.append(flow._replace(allowed="denied" not in said))
    return found
