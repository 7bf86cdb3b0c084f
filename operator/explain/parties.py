"""What rules of policies say, in words: their parties, their ports and their names, as the policy writes them."""

from collections.abc import Iterable
from typing import Final, Protocol

from liqo_connectivity.engine import Row
from liqo_connectivity.facts import FactBase, one_line
from liqo_connectivity.operator.sources.question import OTHER, Ports

SIDES: Final = ("source", "destination")
ANY: Final = "any"
"""A party that the policy leaves out."""
_SHOWN: Final = 6
"""The most ports of a protocol, or exceptions of a CIDR, that are written out."""


class Relations(Protocol):
    """Facts, or a model that holds them."""

    def rows(self, relation: str, /) -> Iterable[Row]: ...


def rule_name(given: Relations, policy: object, rule: object) -> str:
    """Give a rule's name in quotes after a space; empty if it has none."""
    names = [str(name) for of, index, name in given.rows("policy_rule_name") if (of, index) == (policy, rule)]
    return f' "{one_line(names[0])}"' if names else ""


def parties(base: FactBase, policy: str, rule: int) -> tuple[str, str]:
    """Write the source and the destination of a rule."""
    source, destination = (party(base, policy, rule, side) for side in SIDES)
    return source, destination


def rule_text(base: FactBase, policy: str, rule: int) -> str:
    """Write what a rule matches: ``source -> destination``, and its ports if it has any."""
    ports = rule_ports(base, policy, rule)
    return " -> ".join(parties(base, policy, rule)) + (f" on {ports}" if ports else "")


def party(base: FactBase, policy: str, rule: int, side: str) -> str:
    """Write the party of a side of a rule."""
    place = (policy, rule, side)

    def said(relation: str) -> list[str]:
        return [str(row[3]) for row in base.rows(relation) if row[:3] == place]

    cidr = "".join(said("policy_party_cidr"))
    if cidr:
        holes = sorted(said("policy_party_except"))
        return f"{cidr} except {few(holes)}" if holes else cidr
    group, namespace = "".join(said("policy_party_group")), "".join(said("policy_party_namespace"))
    namespaces, pods = said("policy_party_namespace_selector"), said("policy_party_pod_selector")
    if not (namespaces or pods or (group and namespace)):
        return group or (f"namespace {namespace}" if namespace else ANY)
    where = [f"namespace {namespace}"] if namespace else [f"namespaces {namespaces[0]}"] if namespaces else []
    kept = [*([group] if group else []), *where]
    return f"the pods {f'{pods[0]} ' if pods else ''}of {' in '.join(kept)}"


def rule_ports(base: FactBase, policy: str, rule: int) -> str:
    """Write the ports of a rule; empty if it matches all traffic."""
    place = (policy, rule)
    first = {row[2]: int(row[3]) for row in base.rows("policy_port_number") if row[:2] == place}
    last = {row[2]: int(row[3]) for row in base.rows("policy_port_end") if row[:2] == place}
    return ports_text(
        Ports(str(protocol).lower(), first.get(entry, 0), last.get(entry, first.get(entry, 65535)))
        for *own, entry, protocol in base.rows("policy_port_protocol")
        if tuple(own) == place
    )


def ports_text(ports: Iterable[Ports]) -> str:
    """Write ports in few words, such as ``tcp/80-89,8080 udp/53 icmp``. Ranges that touch are joined."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for each in sorted(ports, key=lambda p: (p.protocol, p.first)):
        own = ranges.setdefault(each.protocol, [])
        if own and each.first <= own[-1][1] + 1:
            own[-1] = (own[-1][0], max(own[-1][1], each.last))
        else:
            own.append((each.first, each.last))
    return " ".join(
        protocol if own == [(0, 65535)] else f"{protocol}/{_ranges(own)}" for protocol, own in ranges.items()
    )


def ports_or_rest(ports: Iterable[Ports], protocols: Iterable[str]) -> str:
    """Write ports in few words; if they are most of all, write which they are not: ``all but tcp/80``.

    Ports that are most of all hold OTHER, and of each of ``protocols`` they hold all or what they are said to.
    """
    ports = tuple(ports)
    if not any(each.protocol == OTHER for each in ports):
        return ports_text(ports)
    rest = [hole for protocol in protocols for hole in _holes(protocol, ports)]
    return f"all but {ports_text(rest)}" if rest else "all"


def _holes(protocol: str, ports: Iterable[Ports]) -> list[Ports]:
    found: list[Ports] = []
    start = 0
    for _, first, last in sorted(each for each in ports if each.protocol == protocol):
        found += [Ports(protocol, start, first - 1)] if first > start else []
        start = last + 1
    return [*found, *([Ports(protocol, start, 65535)] if start <= 65535 else [])]


def _ranges(ranges: list[tuple[int, int]]) -> str:
    return few([str(first) if first == last else f"{first}-{last}" for first, last in ranges], ",")


def few(texts: list[str], separator: str = ", ") -> str:
    """Join the first few texts, and count the rest."""
    if len(texts) <= _SHOWN:
        return separator.join(texts)
    return f"{separator.join(texts[: _SHOWN - 1])} and {len(texts) - _SHOWN + 1} more"
