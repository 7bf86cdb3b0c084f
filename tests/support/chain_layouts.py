"""Layouts for the tests of chains/: small ones written by hand, random ones, and those of whole policies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st

from liqo_connectivity.chains import COLUMNS, Layout
from tests.support.chain_verdict import Packet

Relations: TypeAlias = dict[str, set[tuple[Any, ...]]]
Port: TypeAlias = tuple[str, int, int]
"""protocol, first, last"""
PolicyRule: TypeAlias = tuple[str, str, str] | tuple[str, str, str, tuple[Port, ...]]
"""verdict, source party, destination party, and ports if it has some"""


def relations(**rows: Iterable[tuple[Any, ...]]) -> Relations:
    """All relations; what is not given is empty."""
    assert rows.keys() <= COLUMNS.keys()
    return {relation: set(rows.get(relation, ())) for relation in COLUMNS}


def layout(**rows: Iterable[tuple[Any, ...]]) -> Layout:
    return Layout.from_relations(relations(**rows))


def one_rule(**rows: Iterable[tuple[Any, ...]]) -> Layout:
    """A layout of peering milan with one accepting rule at position 0, and ``rows``."""
    given: dict[str, Iterable[tuple[Any, ...]]] = {
        "base_chain": [("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy")],
        "chain_rule": [("milan", 0, "rule", 0, "accept")],
    }
    return layout(**(given | rows))


# ---- Whole policies, as the rules lay them out ----

CIDRS: Mapping[str, Sequence[str]] = {
    "local-cluster": ["10.1.0.0/16"],
    "remote-cluster": ["10.71.0.0/16", "10.72.0.0/16"],
    "private-subnets": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
    "nowhere": [],
}
GROUPS = ("offloaded", "vc-local", "vc-remote")
PARTIES = ("any", *CIDRS, *GROUPS)


def policy_relations(
    policy: Sequence[PolicyRule], members: Mapping[str, Iterable[str]], peering: str = "milan"
) -> Relations:
    """A policy's layout: established, then its rules, none with an anchor; ``members`` are the addresses of the groups."""
    made = relations(
        base_chain=[(peering, f"liqo-tenant-{peering}", f"liqo-tenant-{peering}/policy")],
        chain_rule=[(peering, 0, "established", 0, "accept")],
        chain_state=[(peering, 0, "established"), (peering, 0, "related")],
    )
    for group, addresses in members.items():
        made["chain_element"] |= {(peering, "group", group, address) for address in addresses}
    for index, (verdict, source, destination, *ports) in enumerate(policy):
        made["chain_port"] |= {(peering, index + 1, *port) for held in ports for port in held}
        made["chain_rule"].add((peering, index + 1, "rule", index, verdict))
        for side, party in (("source", source), ("destination", destination)):
            if party == "any":
                made["chain_any"].add((peering, index + 1, side))
            elif party in GROUPS:
                made["chain_set"].add((peering, index + 1, side, "group", party))
            else:
                made["chain_cidr"] |= {(peering, index + 1, side, cidr) for cidr in CIDRS[party]}
    return made


# ---- Random layouts over a universe small enough for rules to meet ----

ADDRESSES = [f"10.0.0.{last}" for last in range(16)] + ["10.0.1.0", "192.0.2.1"]
NETWORKS = ["10.0.0.0/28", "10.0.0.0/29", "10.0.0.8/29", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.0/8", "0.0.0.0/0"]
ADDRESSES6 = [f"fd00::{last:x}" for last in range(1, 16)] + ["fd00::1:0", "2001:db8::1"]
NETWORKS6 = ["fd00::/124", "fd00::/125", "fd00::8/125", "fd00::4/126", "fd00::5/128", "fd00::/8", "::/0"]
NAMED = [
    ("group", "offloaded"),
    ("group", "vc-remote"),
    ("namespace", "my-app"),
    ("scope", "members"),
    ("pods", "|shop||app=web,tier notin (a,b)"),
]
PORTS = [0, 1, 79, 80, 81, 443, 8000, 8080, 65535]
ICMP6_TYPES = ["packet-too-big", "nd-neighbor-solicit", "echo-request"]

addresses = st.sampled_from(ADDRESSES)
states = st.sampled_from(["new", "established", "related", "invalid"])
protocols = st.sampled_from(["tcp", "udp", "sctp", "icmp", "other"])


@st.composite
def any_packets(draw: st.DrawFn, protocols: st.SearchStrategy[str] = protocols, families: int = 2) -> Packet:
    """A packet of the universe, of IPv4 only for one family."""
    universe = draw(st.sampled_from([ADDRESSES, ADDRESSES6][:families]))
    source, destination = draw(st.sampled_from(universe)), draw(st.sampled_from(universe))
    protocol = draw(protocols)
    port = draw(st.sampled_from(PORTS)) if protocol in ("tcp", "udp", "sctp") else 0
    icmp6 = draw(st.sampled_from(ICMP6_TYPES)) if protocol == "icmp" and universe is ADDRESSES6 else ""
    return Packet(source, destination, draw(states), protocol, port, icmp6)


packets = any_packets(families=1)
"""The packets that chains for Liqo's agents see."""


@st.composite
def random_relations(draw: st.DrawFn, nft: bool = False) -> Relations:
    """One or two peerings with up to five rules each; every kind of match, empty groups and empty sides included.

    With ``nft`` also what Liqo's agents cannot match: SCTP, ICMP, types of ICMPv6, IPv6.
    """
    made = relations()
    members = st.sampled_from([*ADDRESSES, *(ADDRESSES6 if nft else ())])
    networks = st.sampled_from([*NETWORKS, *(NETWORKS6 if nft else ())])
    for peering in draw(st.sampled_from([["milan"], ["milan", "rome-2"]])):
        made["base_chain"].add((peering, f"liqo-tenant-{peering}", f"liqo-tenant-{peering}/policy"))
        for kind, name in NAMED:
            held = draw(st.sets(members, max_size=8 if nft else 5))
            made["chain_element"] |= {(peering, kind, name, address) for address in held}
        for position in range(draw(st.integers(0, 5))):
            origin = draw(st.sampled_from(["established", "rule", "default"]))
            made["chain_rule"].add((peering, position, origin, position, draw(st.sampled_from(["accept", "drop"]))))
            if draw(st.integers(0, 4)) == 0:
                chosen = draw(st.sets(st.sampled_from(["established", "related", "new"]), min_size=1))
                made["chain_state"] |= {(peering, position, state) for state in chosen}
            typed = nft and draw(st.integers(0, 4)) == 0
            if typed:
                types = draw(st.sets(st.sampled_from(ICMP6_TYPES), min_size=1))
                made["chain_icmp6"] |= {(peering, position, name) for name in types}
            elif draw(st.booleans()):
                made["chain_port"] |= {(peering, position, *port) for port in draw(_ports(nft))}
            for side in ("source", "destination"):
                if draw(st.integers(0, 3)) == 0:
                    made["chain_any"].add((peering, position, side))
                for cidr in draw(st.sets(networks, max_size=4 if nft else 2)):
                    made["chain_cidr"].add((peering, position, side, cidr))
                for kind, name in draw(st.sets(st.sampled_from(NAMED), max_size=2)):
                    made["chain_set"].add((peering, position, side, kind, name))
    return made


@st.composite
def _ports(draw: st.DrawFn, nft: bool) -> set[tuple[str, int, int]]:
    """Protocols with ports, of which some overlap or touch, and some are all."""
    found: set[tuple[str, int, int]] = set()
    for _ in range(draw(st.integers(1, 4))):
        protocol = draw(st.sampled_from(["tcp", "udp", *(("sctp", "icmp") if nft else ())]))
        ends = sorted(draw(st.lists(st.sampled_from(PORTS), min_size=2, max_size=2)))
        whole = protocol == "icmp" or draw(st.integers(0, 5)) == 0
        first, last = (0, 65535) if whole else draw(st.sampled_from([(ends[0], ends[0]), tuple(ends)]))
        found.add((protocol, first, last))
    return found
