"""A chain in parts decides every packet as the one chain does that it stands for."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any

import pytest

from liqo_connectivity import chains
from liqo_connectivity.chains.limits import MAX_GUARD_CIDRS
from liqo_connectivity.engine import Model, evaluate
from tests.support.chain_layouts import Relations, layout
from tests.support.chain_verdict import Packet, configuration_verdict, layout_verdict
from tests.support.clusters import RENDERED, base_of, example, facts_with, solve
from tests.support.descriptions import Cluster, Party, Pod, Rule
from tests.support.forced_parts import SPLITS, Form, split_program
from tests.support.large_clusters import large
from tests.support.manifests import objects
from tests.support.random_policies import random_rules
from tests.support.seeds import SEEDS

CLUSTERS = 90 if SEEDS == "all" else 30
PACKETS = 60
GOALS = (*RENDERED, "best", "taken")


def rows_of(model: Model) -> Relations:
    return {name: set(model.rows(name)) for name in RENDERED}


def edges(rows: Relations) -> list[str]:
    """Addresses where verdicts may change: elements of sets, and the first and the last of each CIDR, with their neighbours."""
    found = {row[3] for row in rows["chain_element"]}
    for *_, text in rows["chain_cidr"]:
        network = ip_network(text)
        found |= {str(network[0]), str(network[-1])}
    return sorted(found)


def some_packets(rng: Random, rows: Relations, count: int) -> list[Packet]:
    places = [*edges(rows), "172.18.0.11", "10.96.0.10"]
    services = [("udp", 0), ("other", 0)]
    services += [(row[2], rng.choice((row[3], row[4]))) for row in rows["chain_port"]]
    return [
        Packet(
            rng.choice(places), rng.choice(places), rng.choice(("new",) * 9 + ("established",)), *rng.choice(services)
        )
        for _ in range(count)
    ]


def cluster_of(seed: int) -> Cluster:
    """A random cluster, or one with many rules between a few namespaces and a few remote CIDRs, some of them pods' own."""
    rng = Random(seed)
    if seed % 3 == 0:
        return example(seed, 1)[0]
    names = [f"ns{number}" for number in range(6)]
    remote = Party("remote-cluster")
    parties = [remote, remote, None, Party("private-subnets"), Party("vc-remote"), *[Party(namespace=n) for n in names]]
    rules = [
        Rule(rng.choice(("allow", "deny")), rng.choice(parties), rng.choice(parties)) for _ in range(rng.randrange(25))
    ]
    if seed % 3 == 1:
        # Of the form that is gathered: one side is the remote cluster.
        ends = [(remote, Party(namespace=rng.choice(names))) for _ in range(rng.randrange(2, 30))]
        rules = [Rule(rng.choice(("allow", "deny")), *rng.choice(((a, b), (b, a)))) for a, b in ends]
        if rng.random() < 0.5:
            rules = [Rule(rules[0].action, rule.source, rule.destination) for rule in rules]
    elif rng.random() < 0.4:
        rules = random_rules(rng, names, ["10.64.0.1", "10.8.0.2", "10.64.8.4"], 12)
    made = large(rules, 6, cidrs=rng.randrange(1, 7), pods=rng.randrange(9), local=rng.choice((1, 2)))
    # Some namespaces have pods at the remote cluster too, and some share an address for a while.
    far = [f"10.64.{number}.{200 + number}" for number in range(3)]
    pods = [
        Pod(name, f"far-{number}", "milan", addresses=(rng.choice(far),), shadow="true")
        for number, name in enumerate(rng.choices(names, k=rng.randrange(6)))
    ]
    pods += [Pod(name, "twin", "worker", addresses=("10.8.0.1",)) for name in rng.choices(names[2:], k=1)]
    default = replace(made.policies[0], default=rng.choice((None, "deny")))
    return replace(made, pods=(*made.pods, *pods), policies=(default,))


@pytest.mark.parametrize("most", [MAX_GUARD_CIDRS, 2])
def test_every_packet_has_the_verdict_of_the_one_chain(most: int) -> None:
    counted: Counter[object] = Counter()
    for seed in range(CLUSTERS):
        described = cluster_of(seed)
        base = base_of(objects(described))
        wanted = rows_of(solve(base, RENDERED))
        rng = Random(f"packets {seed}")
        for split in (SPLITS[seed % 3], None):
            form = Form(split, most)
            model = evaluate(split_program(form, *GOALS), facts_with(base, ()))
            found = rows_of(model)
            if found["base_chain"] < wanted["base_chain"]:
                counted["does not fit in so many parts"] += 1
                continue
            whole = ("base_chain", "chain_rule", "chain_any", "chain_cidr", "chain_set", "chain_element", "chain_port")
            assert all(found[name] == wanted[name] for name in whole)
            tables = form.assembled(chains.Layout.from_relations(found))
            written = [chains.firewall_object(table) for table in tables]
            for packet in some_packets(rng, wanted, PACKETS):
                verdict = layout_verdict(wanted, packet)
                assert configuration_verdict(written, packet) == verdict, (seed, split, packet)
                counted[verdict] += bool(found["chain_part"])
            counted.update({row[1].rstrip("0123456789-") for row in found["chain_part"]})
            counted["inside"] += bool(found["chain_part_inside"])
            counted["outside"] += bool(found["chain_part_outside"])
            counted["gathered"] += bool(found["chain_gathered"])
            counted["two families of sets"] += any(row[4] != "gathered" for row in found["chain_part_set"])
            counted.update(
                {way for _, part, way in model.rows("taken") if any(part == row[1] for row in found["chain_part"])}
            )
            counted["many parts"] += len(found["chain_part"]) > 2
    for each in (
        "accept",
        "drop",
        "from",
        "to",
        "from-1-to",
        "inside",
        "outside",
        "gathered",
        "side",
        "verdict",
        "many parts",
    ):
        assert counted[each] > 0, (each, counted)
    assert counted["does not fit in so many parts"] < CLUSTERS / 10


# ---- Parts that cannot be written ----


def parts_of(**rows: Iterable[tuple[Any, ...]]) -> chains.Layout:
    """A layout with the part from-1, whose rule at position 1 drops everything, with more rows."""
    given: dict[str, Iterable[tuple[Any, ...]]] = {
        "base_chain": [("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy")],
        "chain_rule": [("milan", 0, "established", 0, "accept"), ("milan", 1, "rule", 0, "drop")],
        "chain_state": [("milan", 0, "established")],
        "chain_part": [("milan", "from-1")],
        "chain_part_rule": [("milan", "from-1", 0), ("milan", "from-1", 1)],
        "chain_part_any": [("milan", "from-1", 1, "source"), ("milan", "from-1", 1, "destination")],
    }
    return layout(**(given | rows))


def test_a_part_has_its_guards_between_what_exists_and_its_rules() -> None:
    inside = [("milan", "from-1", "source", cidr) for cidr in ("10.71.0.0/16", "10.9.0.1/32")]
    outside = [("milan", "from-1", "destination", cidr) for cidr in ("10.71.0.0/16", "10.9.0.1/32", "10.72.0.0/16")]
    (table,) = chains.assemble(parts_of(chain_part_inside=inside, chain_part_outside=outside))
    (chain,) = chains.firewall_object(table)["spec"]["table"]["chains"]
    rules = chain["rules"]["filterRules"]
    assert [rule["name"][:-13] for rule in rules] == [
        "r000-established",
        "r001-guard",
        "r002-guard",
        "r003-rule-0",
    ]
    assert [rule["action"] for rule in rules] == ["accept"] * 3 + ["drop"]
    assert [rule["match"] for rule in rules[1:]] == [
        [
            {"op": "neq", "ip": {"value": "10.9.0.1", "position": "src"}},
            {"op": "neq", "ip": {"value": "10.71.0.0-10.71.255.255", "position": "src"}},
        ],
        [
            {"op": "neq", "ip": {"value": value, "position": "dst"}}
            for value in ("0.0.0.0-10.9.0.0", "10.9.0.2-10.70.255.255", "10.73.0.0-255.255.255.255")
        ],
        [],
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"chain_part": []}, "chain_part_rule has a tuple for part from-1, which does not exist"),
        (
            {"chain_part_rule": [("milan", "from-1", 7)]},
            "part from-1 has a rule at position 7, where the chain has none",
        ),
        ({"chain_part_any": [("milan", "from-1", 3, "source")]}, "chain_any has a tuple for position 3"),
        ({"chain_part_inside": [("milan", "from-1", "left", "10.0.0.0/8")]}, "side 'left' is none of"),
        (
            {"chain_part_inside": [("milan", "from-1", "source", "10.0.0.5/8")]},
            "is not a CIDR (10.0.0.5/8 has host bits set)",
        ),
        ({"chain_part_outside": [("milan", "to-1", "source", "10.0.0.0/8")]}, "for part to-1, which does not exist"),
        (
            {"chain_part_inside": [("milan", "from-1", "source", cidr) for cidr in ("10.1.0.0/16", "10.0.0.0/8")]},
            "part from-1, source: two CIDRs have the address 10.1.0.0 in common",
        ),
        (
            {"chain_part_outside": [("milan", "from-1", "source", "fd00::/64")]},
            "'fd00::/64' is not an IPv4 CIDR",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(rows: dict[str, Iterable[tuple[Any, ...]]], message: str) -> None:
    with pytest.raises(chains.ChainError, match=re.escape(message)):
        chains.assemble(parts_of(**rows))
