"""Where packets go on the nodes, in plain Python, from the cluster's description: to which node, and rewritten or not.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from tests.support.addresses import ipv4, usable_cidr
from tests.support.membership import ENDED, Membership, addresses_of


class DataPath(Membership):
    """What nodes do to a packet before or without any chain."""

    @cached_property
    def _node_addresses(self) -> dict[str, set[IPv4Address]]:
        """The addresses of each physical node: its own, and those of the Pods that use its network."""
        virtual = {node.name for node in self.cluster.nodes if node.virtual}
        found: dict[str, set[IPv4Address]] = {}
        for node in self.cluster.nodes:
            if node.name not in virtual:
                own = map(ipv4, node.addresses)
                found.setdefault(node.name, set()).update(address for address in own if address is not None)
        for pod in self._readable:
            if pod.host_network and pod.node is not None and not self.clusters_of(pod) and pod.phase not in ENDED:
                found.setdefault(pod.node, set()).update(addresses_of(pod))
        return found

    def _hosts(self, address: IPv4Address | None) -> set[str]:
        return {node for node, own in self._node_addresses.items() if address in own}

    def may_pass_input(self, source: IPv4Address | None, destination: IPv4Address | None) -> bool:
        """Whether a node may take the packet itself without its crossing a chain: unless a Pod on another node sends it."""
        senders = {pod.node for pod in self._readable if source in self._local(pod) and pod.node is not None}
        elsewhere = bool(senders) and not self._hosts(source)
        return any(not elsewhere or node in senders for node in self._hosts(destination))

    @cached_property
    def _service_cidrs(self) -> list[IPv4Network]:
        networks = [n for n in self.cluster.networks if n.cluster is None and n.kind == "service-cidr"]
        written = [text for network in networks for text in (network.status, network.spec) if text]
        return [cidr for cidr in map(usable_cidr, written) if cidr is not None]

    def is_rewritten(self, address: IPv4Address | None) -> bool:
        """Whether an address is a Service's, by a Service or by the CIDR of Services."""
        own = {ipv4(text) for service in self.cluster.services for text in service.addresses}
        return address is not None and (address in own or any(address in cidr for cidr in self._service_cidrs))

    def is_out_of_sight(self, flow: tuple[str, str, str]) -> bool:
        """Whether nodes rewrite the packets of a flow, or may take them, before a chain sees them."""
        ends = ipv4(flow[0]), ipv4(flow[1])
        return any(map(self.is_rewritten, ends)) or self.may_pass_input(*ends)
