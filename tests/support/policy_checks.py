"""Whether a policy says what it means, and whether Liqo's agents can match it, in plain Python, from its description.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from collections import Counter
from ipaddress import IPv4Network, IPv6Network

from tests.support.addresses import canonical_cidr
from tests.support.descriptions import Party, Policy, Port, Requirement, Selector
from tests.support.groups import GROUPS, POD_GROUPS, is_selection

ACTIONS = ("allow", "deny")
PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")


def is_valid(policy: Policy) -> bool:
    """Whether a policy can be enforced for all that it says itself."""
    names = Counter(rule.name for rule in policy.rules if rule.name is not None)
    return (
        not is_unclear(policy)
        and policy.default in (None, *ACTIONS)
        and all(count == 1 for count in names.values())
        and all(rule.action in ACTIONS for rule in policy.rules)
        and all(party != Party() for party in _parties(policy))
        and all(rule.ports is None or (rule.ports and all(map(_is_port, rule.ports))) for rule in policy.rules)
    )


def is_unclear(policy: Policy) -> bool:
    """Whether a party of a policy names nobody knows whom, so that anyone may be in the policy's scope."""
    return any(_is_unclear(party) for party in _parties(policy))


def beyond_liqo(policy: Policy) -> bool:
    """Whether a policy says something that Liqo's agents cannot match: ports of SCTP, ICMP, or a CIDR of IPv6."""
    ports = [port for rule in policy.rules for port in rule.ports or ()]
    cidrs = [canonical_cidr(party.cidr) for party in _parties(policy) if party.cidr is not None]
    return any(port.protocol in ("SCTP", "ICMP") for port in ports) or any(cidr and cidr.version == 6 for cidr in cidrs)


def _parties(policy: Policy) -> list[Party]:
    return [party for rule in policy.rules for party in (rule.source, rule.destination) if party is not None]


def _is_unclear(party: Party) -> bool:
    named = party.group is not None or party.namespace is not None or is_selection(party)
    return (
        (party.group is not None and party.group not in GROUPS)
        or (party.group is not None and is_selection(party) and party.group not in POD_GROUPS)
        or (party.namespace is not None and party.namespaces is not None)
        or (party.pods is not None and (party.group, party.namespace, party.namespaces) == (None, None, None))
        or any(selector is not None and not _is_selector(selector) for selector in (party.pods, party.namespaces))
        or (party.cidr is not None and (named or not _is_block(party.cidr, party.excepts)))
    )


def _is_selector(selector: Selector) -> bool:
    return selector != Selector() and all(map(_is_requirement, selector.expressions))


def _is_requirement(requirement: Requirement) -> bool:
    if requirement.operator in ("In", "NotIn"):
        return bool(requirement.values)
    return requirement.operator in ("Exists", "DoesNotExist") and not requirement.values


def _is_block(written: str, excepts: tuple[str, ...]) -> bool:
    whole, holes = canonical_cidr(written), [canonical_cidr(each) for each in excepts]
    return whole is not None and all(hole is not None and _is_inside(hole, whole) for hole in holes)


def _is_inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return (
        inner != outer
        and inner.version == outer.version
        and inner.overlaps(outer)
        and inner.prefixlen > outer.prefixlen
    )


def _is_port(port: Port) -> bool:
    if port.protocol not in PROTOCOLS:
        return False
    if port.protocol == "ICMP":
        return port.first is None and port.last is None
    return port.last is None or (port.first is not None and port.first <= port.last)
