"""The two ends of the flow that a certificate is about: what the question names, and the addresses that it may stand for.

Nodes rewrite the address of a Service, so a destination may stand for several addresses, as a group does. The relations
named here are those of rules/services.dl and rules/members.dl.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dump import SourcedFacts
from liqo_connectivity.checker.functors import address_family, canonical_address, cidr_family
from liqo_connectivity.checker.limits import Meter
from liqo_connectivity.checker.proof import RejectedError, fields_of
from liqo_connectivity.checker.syntax import TrustedRules

Target: TypeAlias = tuple[str, int | None]
"""An address, and its port if nodes rewrite that."""
Pair: TypeAlias = tuple[str, str, int | None]
"""The addresses of a source and a destination, and the port of that if nodes rewrite it."""

_SERVICE_FORMS = ("svc", "service", "services")


@dataclass(frozen=True, slots=True)
class End:
    """One end: the pointer of its address, what the question names, its address if it is known, and the port of a destination.

    ``target`` is the port to which nodes rewrite that of a Service, if it is known.
    """

    place: str
    endpoint: str
    address: str | None
    port: tuple[int, str] | None
    target: int | None = None

    @property
    def flow_port(self) -> tuple[int, str] | None:
        """Give the port that packets have where chains see them, if it is known."""
        if self.port is None or not self.is_rewritten:
            return self.port
        return None if self.target is None else (self.target, self.port[1])

    @property
    def is_rewritten(self) -> bool:
        """Whether the address is that of an endpoint, and the end was named by a Service or an address of one."""
        return self.service is not None or (self.named is not None and self.named != self.address)

    @property
    def group(self) -> tuple[str, str] | None:
        """Give the peering and the group, if the end is a group."""
        if not self.endpoint.startswith("group:"):
            return None
        group, _, peering = self.endpoint.removeprefix("group:").partition("@")
        return peering, group

    @property
    def service(self) -> str | None:
        """Give the Service, namespace/name, if the end is one by name."""
        parts = self.endpoint.split("/")
        is_service = len(parts) == 3 and parts[1] in _SERVICE_FORMS
        return f"{parts[0]}/{parts[2]}" if is_service else None

    @property
    def named(self) -> str | None:
        """Give the address in the notation of facts, if the end is named by one."""
        if not self.endpoint.startswith("ip:"):
            return None
        return canonical_address(self.endpoint.removeprefix("ip:").strip("[]"))


def read_end(answer: Mapping[str, object], side: str) -> End:
    """Read one end. Raises RejectedError for a malformed one."""
    fields = fields_of(answer.get(side), f"/{side}")
    endpoint, address = fields.get("endpoint"), fields.get("address")
    if not isinstance(endpoint, str) or not isinstance(address, str | None):
        raise RejectedError(f"/{side}", "", "an endpoint and its address are needed")
    port, protocol, target = fields.get("port"), fields.get("protocol"), fields.get("targetPort")
    if target is not None and (type(target) is not int or port is None):
        raise RejectedError(f"/{side}/targetPort", str(target), "it stands for the port of a Service")
    if port is None and protocol is None:
        return End(f"/{side}/address", endpoint, address, None)
    if port is None and protocol == "icmp":
        return End(f"/{side}/address", endpoint, address, (0, "icmp"))
    if type(port) is not int or not 0 < port < 65536 or protocol not in ("tcp", "udp", "sctp"):
        raise RejectedError(f"/{side}/port", str(port), "a port and its protocol are needed")
    return End(f"/{side}/address", endpoint, address, (port, str(protocol)), target)


def check_ends(source: End, destination: End, facts: SourcedFacts, follows: Consequences) -> set[Pair]:
    """Check the address of each end; give the pairs that the question is about, none if an end is a group.

    Raises RejectedError.
    """
    for end in (source, destination):
        if not end.address or canonical_address(end.address) != end.address:
            raise RejectedError(end.place, str(end.address), "it is not an IP address in the notation of facts")
    senders = {str(source.address)} if source.group else _addresses(source, facts)
    alike: set[Pair] = {
        (sender, *target)
        for sender in senders
        for target in _destinations(destination, facts, follows)
        if address_family(target[0]) == address_family(sender)
    }
    # Among several pairs, none is of an address and itself.
    meant = {pair for pair in alike if pair[0] != pair[1]} or alike
    receivers = {receiver for sender, receiver, _ in meant if sender == source.address}
    for end, known in ((source, senders), (destination, receivers)):
        group = (*end.group, end.address) if end.group else None
        if group not in follows.rows("in_group") if group else end.address not in known:
            raise RejectedError(end.place, str(end.address), f"it is not the address of {end.endpoint}")
    if not destination.group and (source.address, destination.address, destination.target) not in meant:
        place = f"{destination.place.rpartition('/')[0]}/targetPort"
        raise RejectedError(place, str(destination.target), f"nodes do not rewrite {destination.endpoint} to it")
    return set() if source.group or destination.group else meant


def lacks_address(end: End, claimed: str, rules: TrustedRules, facts: SourcedFacts, meter: Meter) -> bool:
    """Whether an end has no known address, and is the object that is claimed to have none. Raises LimitError."""
    if end.group:
        if claimed != f"Group {end.endpoint}":
            return False
        follows = _consequences(rules, facts, meter, "member", "member_cidr")
        ranges = [row for row in follows.matching("member_cidr", (*end.group, None)) if cidr_family(row[2]) == 4]
        return not ranges and not follows.matching("member", (*end.group, None))
    if end.service is not None:
        if claimed != f"Service {end.service}":
            return False
        follows = _consequences(rules, facts, meter, "service_endpoint")
        return _is_unreadable_service(end.service, facts) or not follows.matching(
            "service_endpoint", (end.service, None)
        )
    pod = claimed.removeprefix("Pod ")
    if pod != end.endpoint:
        return False
    return _is_unreadable("Pod", pod, facts) or (_is_pod(pod, facts) and not _pod_addresses(pod, facts))


def _addresses(end: End, facts: SourcedFacts) -> set[str]:
    """Give the addresses that an end has by itself: those of a pod, or the one that names it."""
    if end.endpoint.startswith("ip:"):
        return {end.named} if end.named else set()
    return _pod_addresses(end.endpoint, facts) if _is_pod(end.endpoint, facts) else set()


def _destinations(end: End, facts: SourcedFacts, follows: Consequences) -> set[Target]:
    """Give the addresses for which a destination stands, with their ports; none for a group.

    An address of Services stands for their endpoints, and for itself as long as one of them has none that are known.
    """
    if end.service is not None:
        endpoints = {str(found) for service, found in follows.rows("service_endpoint") if service == end.service}
        return _with_ports(end, [(end.service, found) for found in endpoints], follows)
    services = {str(service) for service, address in facts.get("service_ip", {}) if address == end.named}
    if not services:
        return {(address, None) for address in _addresses(end, facts)}
    if end.port is not None:
        ports = {(service, port, protocol) for service, _, port, protocol in facts.get("service_port", {})}
        services = {service for service in services if (service, *end.port) in ports}
    targets = [
        (str(service), str(found)) for address, service, found in follows.rows("service_target") if address == end.named
    ]
    meant = _with_ports(end, [target for target in targets if target[0] in services], follows)
    resolved = {service for service, _ in targets}
    return meant if services <= resolved else {*meant, (str(end.named), None)}


def _with_ports(end: End, targets: Iterable[tuple[str, str]], follows: Consequences) -> set[Target]:
    """Give the endpoints of Services, each with the ports to which nodes rewrite the port that is asked about."""
    ports: dict[tuple[str, str], set[int]] = {}
    for service, port, protocol, endpoint, target in follows.rows("service_target_port"):
        if (port, protocol) == end.port:
            ports.setdefault((str(service), str(endpoint)), set()).add(int(target))
    return {(endpoint, port) for service, endpoint in targets for port in ports.get((service, endpoint), (None,))}


def _consequences(rules: TrustedRules, facts: SourcedFacts, meter: Meter, *wanted: str) -> Consequences:
    return Consequences(rules.rules, {name: rows.keys() for name, rows in facts.items()}, wanted, meter)


def _is_unreadable(kind: str, name: str, facts: SourcedFacts) -> bool:
    return any((found, f"{space}/{own}") == (kind, name) for found, space, own, _ in facts.get("unreadable", {}))


def _is_unreadable_service(service: str, facts: SourcedFacts) -> bool:
    """Whether a Service, or some Service unless this one is known, could not be read."""
    known = any(found == service for found, _ in facts.get("service", {}))
    unnamed = any((kind, name) == ("Service", "") for kind, _, name, _ in facts.get("unreadable", {}))
    return _is_unreadable("Service", service, facts) or (unnamed and not known)


def _is_pod(pod: str, facts: SourcedFacts) -> bool:
    return any(row[0] == pod for row in facts.get("pod", {}))


def _pod_addresses(pod: str, facts: SourcedFacts) -> set[str]:
    return {str(address) for owner, address in facts.get("pod_ip", {}) if owner == pod}
