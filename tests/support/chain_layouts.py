"""Layouts for the tests of chains/: small ones written by hand, random ones, and those of whole policies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st

from liqo_connectivity.chains import COLUMNS, Layout
from tests.support.chain_verdict import Packet

Relations: TypeAlias = dict[str, set[tuple[Any, ...]]]
PolicyRule: TypeAlias = tuple[str, str, str]
"""verdict, source party, destination party"""


def relations(**rows: Iterable[tuple[Any, ...]]) -> Relations:
    """The seven relations; what is not given is empty."""
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
    for index, (verdict, source, destination) in enumerate(policy):
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
NAMED = [("group", "offloaded"), ("group", "vc-remote"), ("namespace", "my-app"), ("scope", "members")]

addresses = st.sampled_from(ADDRESSES)
packets = st.builds(Packet, addresses, addresses, st.sampled_from(["new", "established", "related", "invalid"]))


@st.composite
def random_relations(draw: st.DrawFn) -> Relations:
    """One or two peerings with up to five rules each; every kind of match, empty groups and empty sides included."""
    made = relations()
    for peering in draw(st.sampled_from([["milan"], ["milan", "rome-2"]])):
        made["base_chain"].add((peering, f"liqo-tenant-{peering}", f"liqo-tenant-{peering}/policy"))
        for kind, name in NAMED:
            members = draw(st.sets(addresses, max_size=5))
            made["chain_element"] |= {(peering, kind, name, address) for address in members}
        for position in range(draw(st.integers(0, 5))):
            origin = draw(st.sampled_from(["established", "rule"]))
            made["chain_rule"].add((peering, position, origin, position, draw(st.sampled_from(["accept", "drop"]))))
            if draw(st.integers(0, 4)) == 0:
                states = draw(st.sets(st.sampled_from(["established", "related", "new"]), min_size=1))
                made["chain_state"] |= {(peering, position, state) for state in states}
            for side in ("source", "destination"):
                if draw(st.integers(0, 3)) == 0:
                    made["chain_any"].add((peering, position, side))
                for cidr in draw(st.sets(st.sampled_from(NETWORKS), max_size=2)):
                    made["chain_cidr"].add((peering, position, side, cidr))
                for kind, name in draw(st.sets(st.sampled_from(NAMED), max_size=2)):
                    made["chain_set"].add((peering, position, side, kind, name))
    return made
