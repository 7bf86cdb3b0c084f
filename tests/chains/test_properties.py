"""The chains do what the verdicts say: of an enforced peering, the same packets pass and the same are dropped.

Each peering's chain is asked alone, about flows that it governs and others, in every format that is written.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity import chains
from liqo_connectivity.engine import Model, Row, evaluate
from liqo_connectivity.facts import FactBase
from liqo_connectivity.rules.relations import Enforcer, FlowPort
from tests.support import nft
from tests.support.chain_verdict import Packet, configuration_verdict, layout_verdict, nft_verdict
from tests.support.clusters import (
    RENDERED,
    VERDICTS,
    base_of,
    example,
    facts_with,
    layout,
    program,
    questions,
    shown,
)
from tests.support.descriptions import Cluster
from tests.support.manifests import objects
from tests.support.random_clusters import cluster, flows
from tests.support.seeds import examples

CLUSTERS, FLOWS, PARTS = 160, 20, 2
KERNEL_CLUSTERS, KERNEL_FLOWS = 12, 20

Asked = list[tuple[str, str, str]]


TRAFFIC = (
    ("tcp", 80),
    ("tcp", 443),
    ("udp", 53),
    ("icmp", 0),
    ("sctp", 80),
    ("udp", 8053),
    ("other", 0),
    ("tcp", 8080),
)
"""Protocols and ports of the packets, in turn."""
NFT = "nftables"


def enforced_tables(model: Model, enforcer: str = "") -> Iterator[tuple[chains.Table, ...]]:
    """The tables of each enforced peering for who enforces, each peering assembled alone."""
    for part in layout(model).by_peering().values():
        yield chains.assemble_nft(part) if enforcer else chains.assemble(part)


def packets(asked: Asked) -> list[Packet]:
    """What the flows look like: of some protocol each."""
    return [
        Packet(*flow, protocol, port, "echo-request" if ":" in flow[0] and protocol == "icmp" else "")
        for number, flow in enumerate(asked)
        for protocol, port in [TRAFFIC[number % len(TRAFFIC)]]
    ]


def facts_about(base: FactBase, asked: Asked, enforcer: str) -> dict[str, list[Row]]:
    """The facts of a base, who enforces, and the questions with their ports."""
    facts = facts_with(base, questions(asked))
    facts["flow_port"] = [
        FlowPort(f"{number}", packet.port, packet.protocol) for number, packet in enumerate(packets(asked))
    ]
    facts["enforcer"] = [Enforcer(enforcer)] if enforcer else []
    return facts


def expected(base: FactBase, model: Model, peering: str, asked: Asked, enforcer: str = "") -> list[str]:
    """What the chain of an enforced peering has to do with each flow: drop what its policy denies, and nothing else.

    The verdict is unknown only for pods that Liqo may yet offload. Until it says so, the chain does without them.
    """
    without = _verdicts(_none_offloaded(base, asked, peering, enforcer), peering)
    assert "unknown" not in without.values()
    found = {
        flow: without.get(flow) if verdict == "unknown" else verdict
        for flow, verdict in _verdicts(model, peering).items()
    }
    return ["drop" if found.get(str(number)) == "denied" else "accept" for number in range(len(asked))]


def _verdicts(model: Model, peering: str) -> dict[str, str]:
    """The verdicts of a peering on the flows that it governs."""
    told = [(str(flow), str(verdict)) for at, flow, verdict in model.rows("peering_verdict") if at == peering]
    found = dict(told)
    assert len(found) == len(told), "a peering has one verdict on a flow"
    return found


def _none_offloaded(base: FactBase, asked: Asked, peering: str, enforcer: str) -> Model:
    """What holds if this cluster offloads to a peering no namespace of which that is not known."""
    facts = facts_about(base, asked, enforcer)
    undecided = {
        row[1] for row in evaluate(program("mapping_unknown"), facts).rows("mapping_unknown") if row[0] == peering
    }
    facts["namespace_offloading"] = [row for row in facts.get("namespace_offloading", ()) if row[0] not in undecided]
    return evaluate(program("peering_verdict"), facts)


def of_families(asked: Iterable[tuple[str, str, str]], *families: int) -> Asked:
    """The flows that chains of some families see."""
    versions = [(ip_address(flow[0]).version, ip_address(flow[1]).version, flow) for flow in asked]
    return [flow for one, other, flow in versions if one == other and one in families]


def disagreement(described: Cluster, asked: Asked, enforcer: str = "") -> tuple[str, Counter[str]]:
    """What differs between verdicts and chains, and how many packets of each family were dropped and accepted."""
    asked = of_families(asked, 4, *([6] if enforcer else []))
    base = base_of(objects(described))
    model = evaluate(program(*VERDICTS, *RENDERED), facts_about(base, asked, enforcer))
    counts: Counter[str] = Counter()
    for tables in enforced_tables(model, enforcer):
        peering = tables[0].peering
        wanted = expected(base, model, peering, asked, enforcer)
        configurations = [] if enforcer else json.loads(chains.firewall_json(tables))["items"]
        transaction = json.loads(chains.nft_transaction_json(tables))["nftables"]
        derived = {name: {row for row in model.rows(name) if row[0] == peering} for name in RENDERED}
        for packet, verdict in zip(packets(asked), wanted, strict=True):
            told = {layout_verdict(derived, packet), nft_verdict(transaction, packet)}
            if not enforcer:
                told.add(configuration_verdict(configurations, packet))
            if told != {verdict}:
                return f"{peering}, {packet}: {verdict}, but {told}\n{shown(described)}", counts
            counts[f"{verdict} {6 if packet.ipv6 else 4}"] += 1
    return "", counts


@pytest.mark.slow
@pytest.mark.parametrize("enforcer", ["", NFT])
@pytest.mark.parametrize("part", range(PARTS))
def test_chains_do_what_the_verdicts_say(part: int, enforcer: str) -> None:
    counts: Counter[str] = Counter()
    for seed in range(part, CLUSTERS, 2 * PARTS if enforcer else PARTS):
        described, asked = example(20_000 + seed, 3 * FLOWS if enforcer else FLOWS)
        found, more = disagreement(described, asked, enforcer)
        assert not found, f"seed {seed}: {found}"
        counts += more
    assert counts["drop 4"] > 50
    assert counts["accept 4"] > 500
    assert bool(enforcer) == (counts["drop 6"] > 0) == (counts["accept 6"] > 50)


@settings(max_examples=examples(30), deadline=None)
@given(st.randoms(use_true_random=False))
def test_chains_do_what_the_verdicts_say_on_clusters_that_shrink(rng: Random) -> None:
    described = cluster(rng)
    asked = flows(rng, described, 8)
    for enforcer in ("", NFT):
        found, _ = disagreement(described, asked, enforcer)
        assert not found, found


@pytest.mark.parametrize("seed", range(KERNEL_CLUSTERS))
def test_what_the_kernel_lists_after_loading_the_script_does_what_the_verdicts_say(seed: int) -> None:
    described, asked = example(30_000 + seed, KERNEL_FLOWS)
    asked = of_families(asked, 4, 6)
    base = base_of(objects(described))
    model = evaluate(program(*VERDICTS, *RENDERED), facts_about(base, asked, NFT))
    found = list(enforced_tables(model, NFT))
    listing = nft.load_script(chains.nft_script(table for tables in found for table in tables))
    for ip, ip6 in found:
        assert ip.name == ip6.name
        own = [entry for entry in listing if ip.name in _tables_of(entry)]
        told = [nft_verdict(own, packet) for packet in packets(asked)]
        assert told == expected(base, model, ip.peering, asked, NFT), shown(described)


def _tables_of(entry: dict[str, dict[str, str]]) -> set[str]:
    return {body.get("table", body.get("name", "")) for body in entry.values()}
