"""Where packets go on the nodes, in plain Python, from the cluster's description: to which node, and rewritten or not.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from functools import cached_property
from ipaddress import ip_network

from tests.support.addresses import Address, Cidr, is_cidr, parsed
from tests.support.descriptions import Traffic
from tests.support.groups import Groups
from tests.support.membership import ENDED, addresses_of


class DataPath(Groups):
    """What nodes do to a packet before or without any chain."""

    @cached_property
    def _node_addresses(self) -> dict[str, set[Address]]:
        """The addresses of each physical node: its own, and those of the Pods that use its network."""
        virtual = {node.name for node in self.cluster.nodes if node.virtual}
        found: dict[str, set[Address]] = {}
        for node in self.cluster.nodes:
            if node.name not in virtual:
                found.setdefault(node.name, set()).update(map(parsed, node.addresses))
        for pod in self._readable:
            if pod.host_network and pod.node is not None and not self.clusters_of(pod) and pod.phase not in ENDED:
                found.setdefault(pod.node, set()).update(addresses_of(pod))
        return found

    def _hosts(self, address: Address) -> set[str]:
        return {node for node, own in self._node_addresses.items() if address in own}

    def may_pass_input(self, source: Address, destination: Address) -> bool:
        """Whether a node may take the packet itself without its crossing a chain: unless a Pod on another node sends it."""
        hosts = self._hosts(destination)
        if not hosts:
            return False
        senders = {pod.node for pod in self._readable if source in self._local(pod) and pod.node is not None}
        elsewhere = bool(senders) and not self._hosts(source)
        return any(not elsewhere or node in senders for node in hosts)

    @cached_property
    def _service_cidrs(self) -> list[Cidr]:
        networks = [n for n in self.cluster.networks if n.cluster is None and n.kind == "service-cidr"]
        written = [text for network in networks for text in (network.status, network.spec) if text]
        found = [ip_network(text, strict=False) for text in written if is_cidr(text)]
        return [cidr for cidr in found if cidr.prefixlen > 0]

    @cached_property
    def _service_addresses(self) -> set[Address]:
        return {parsed(text) for service in self.cluster.services for text in service.addresses}

    def is_rewritten(self, address: Address) -> bool:
        """Whether an address is a Service's, by a Service or by the CIDR of Services."""
        if address not in self._rewritten:
            in_cidr = any(address in cidr for cidr in self._service_cidrs)
            self._rewritten[address] = in_cidr or address in self._service_addresses
        return self._rewritten[address]

    @cached_property
    def _rewritten(self) -> dict[Address, bool]:
        return {}

    @cached_property
    def _node_ports(self) -> set[tuple[str, int]]:
        return {(s.protocol.lower(), s.node_port) for s in self.cluster.services if s.node_port is not None}

    def is_node_port(self, flow: Traffic) -> bool:
        """Whether a flow goes to a port of a Service on a node, where the node gives it another destination and source."""
        ports = self._node_ports
        meant = (flow.protocol, flow.port) in ports if flow.protocol else bool(ports)
        return meant and bool(self._hosts(parsed(flow.destination)))

    def is_out_of_sight(self, flow: Traffic) -> bool:
        """Whether nodes rewrite the packets of a flow, or may take them, before a chain sees them."""
        ends = parsed(flow.source), parsed(flow.destination)
        # An agent has a chain for what a node takes, which sees the packets to a node port with another destination.
        is_taken = self.may_pass_input(*ends) and (not self.agent or self.is_node_port(flow))
        return any(map(self.is_rewritten, ends)) or is_taken
