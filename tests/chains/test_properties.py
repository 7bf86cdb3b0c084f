"""The chains do what the verdicts say: of an enforced peering, the same packets pass and the same are dropped.

Each peering's chain is asked alone, about flows that it governs and others, in every format that is written.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity import chains
from liqo_connectivity.engine import Model, evaluate
from liqo_connectivity.facts import FactBase
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
    solve,
)
from tests.support.descriptions import Cluster, Traffic
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows
from tests.support.raw_packets import PREFIXES
from tests.support.seeds import examples

CLUSTERS, FLOWS, PARTS = 160, 20, 2
KERNEL_CLUSTERS, KERNEL_FLOWS = 16, 40
SERVICES = (("tcp", 80), ("udp", 53), ("sctp", 443), ("icmp", 0), ("other", 0))
"""Traffic of which each kind has to have the verdict of a flow without a port."""

Encodings = tuple[chains.Table | None, tuple[chains.Table, ...]]


def enforced_tables(model: Model, *, nft_only: bool) -> Iterator[tuple[str, Encodings]]:
    """The enforced peerings, and each one's table for Liqo's agents, and those for nft, assembled alone."""
    for peering, part in layout(model).by_peering().items():
        yield peering, (None if nft_only else chains.assemble(part)[0], chains.assemble_nft(part))


def packets(flow: Traffic) -> list[Packet]:
    """The packets of a flow: one, or if the flow has no port, one of every kind."""
    services = SERVICES if not flow.protocol else ((flow.protocol, flow.port),)
    return [
        Packet(*flow[:3], protocol, port, "echo-request" if protocol == "icmp" and ":" in flow.source else "")
        for protocol, port in services
    ]


def expected(
    base: FactBase, model: Model, peering: str, asked: Sequence[Traffic], *, nft_only: bool
) -> list[tuple[Packet, str]]:
    """What the chain of an enforced peering has to do with packets: drop what its policy denies, and nothing else.

    The verdict is unknown for pods that Liqo may yet offload. Until it says so, the chain does without them. A flow without
    a port of which ports decide says nothing about packets.
    """
    without = _verdicts(_none_offloaded(base, asked, peering, nft_only=nft_only), peering)
    unclear = {asked[int(flow)] for flow, verdict in without.items() if verdict == "unknown"}
    assert not any(flow.protocol for flow in unclear)
    found = {
        flow: without.get(flow) if verdict == "unknown" else verdict
        for flow, verdict in _verdicts(model, peering).items()
    }
    return [
        (packet, "drop" if found.get(str(number)) == "denied" else "accept")
        for number, flow in enumerate(asked)
        if flow not in unclear
        for packet in packets(flow)
    ]


def _verdicts(model: Model, peering: str) -> dict[str, str]:
    """The verdicts of a peering on the flows that it governs."""
    told = [(str(flow), str(verdict)) for at, flow, verdict in model.rows("peering_verdict") if at == peering]
    found = dict(told)
    assert len(found) == len(told), "a peering has one verdict on a flow"
    return found


def _none_offloaded(base: FactBase, asked: Sequence[Traffic], peering: str, *, nft_only: bool) -> Model:
    """What holds if this cluster offloads to a peering no namespace of which that is not known."""
    facts = facts_with(base, questions(asked, nft=nft_only))
    undecided = {
        row[1] for row in evaluate(program("mapping_unknown"), facts).rows("mapping_unknown") if row[0] == peering
    }
    facts["namespace_offloading"] = [row for row in facts.get("namespace_offloading", ()) if row[0] not in undecided]
    return evaluate(program("peering_verdict"), facts)


def seen_flows(asked: Iterable[Traffic], *, nft_only: bool) -> list[Traffic]:
    """The flows of families that chains match."""
    return [flow for flow in asked if nft_only or ":" not in flow.source]


def disagreement(described: Cluster, given: Iterable[Traffic], *, nft_only: bool) -> tuple[str, int, int]:
    """What differs between verdicts and chains, and how many packets were dropped and accepted."""
    asked = seen_flows(given, nft_only=nft_only)
    base = base_of(objects(described))
    model = solve(base, (*VERDICTS, *RENDERED), questions(asked, nft=nft_only))
    dropped = accepted = 0
    for peering, (table, compact) in enforced_tables(model, nft_only=nft_only):
        configuration = json.loads(chains.firewall_json([table]))["items"] if table else None
        transaction = json.loads(chains.nft_transaction_json(compact))["nftables"]
        derived = {name: {row for row in model.rows(name) if row[0] == peering} for name in RENDERED}
        for packet, verdict in expected(base, model, peering, asked, nft_only=nft_only):
            told = [layout_verdict(derived, packet), nft_verdict(transaction, packet)]
            if configuration is not None:
                told.append(configuration_verdict(configuration, packet))
            if set(told) != {verdict}:
                return f"{peering}, {packet}, nft {nft_only}: {verdict}, but {told}\n{shown(described)}", 0, 0
            dropped += verdict == "drop"
            accepted += verdict == "accept"
    return "", dropped, accepted


@pytest.mark.slow
@pytest.mark.parametrize("nft_only", [False, True])
@pytest.mark.parametrize("part", range(PARTS))
def test_chains_do_what_the_verdicts_say(part: int, nft_only: bool) -> None:
    dropped = accepted = 0
    for seed in range(part * 2 + nft_only, CLUSTERS, PARTS * 2):
        found, drops, accepts = disagreement(*example(20_000 + seed, FLOWS), nft_only=nft_only)
        assert not found, f"seed {seed}: {found}"
        dropped += drops
        accepted += accepts
    assert dropped > 50
    assert accepted > 500


@settings(max_examples=examples(30), deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_chains_do_what_the_verdicts_say_on_clusters_that_shrink(rng: Random, nft_only: bool) -> None:
    described = cluster(rng)
    found, _, _ = disagreement(described, flows(rng, described, 8), nft_only=nft_only)
    assert not found, found


@pytest.mark.parametrize("seed", range(KERNEL_CLUSTERS))
def test_what_the_kernel_lists_and_does_after_loading_the_script_is_what_the_verdicts_say(seed: int) -> None:
    nft_only = seed % 4 != 0
    described, given = example(30_000 + seed, KERNEL_FLOWS)
    asked = seen_flows(given, nft_only=nft_only)
    base = base_of(objects(described))
    model = solve(base, (*VERDICTS, *RENDERED), questions(asked, nft=nft_only))
    found = dict(enforced_tables(model, nft_only=nft_only))
    script = chains.nft_script(table for _, both in found.values() for table in both)
    listing = nft.load_script(script)
    wanted = {peering: dict(expected(base, model, peering, asked, nft_only=nft_only)) for peering in found}
    for peering, (_, both) in found.items():
        own = [entry for entry in listing if {table.name for table in both} & _tables_of(entry)]
        told = {packet: nft_verdict(own, packet) for packet in wanted[peering]}
        assert told == wanted[peering], shown(described)
    # Of each peering alone packets were read; a packet that is sent crosses the chains of all.
    sent = [packet for packet in dict.fromkeys(p for own in wanted.values() for p in own) if _can_be_sent(packet)]
    sent = [packet for packet in sent if all(packet in own for own in wanted.values())]
    passing = ["drop" if "drop" in {own[packet] for own in wanted.values()} else "accept" for packet in sent]
    assert list(zip(sent, nft.send_first(script, sent), strict=True)) == list(zip(sent, passing, strict=True))


def _can_be_sent(packet: Packet) -> bool:
    """Whether a packet is new, and between two of the addresses that the sender's machine stands for."""
    ends = [ip_address(packet.source), ip_address(packet.destination)]
    stood_for = all(any(end in ip_network(prefix) for prefix in PREFIXES) for end in ends)
    return packet.state == "new" and stood_for and packet.source != packet.destination


def _tables_of(entry: dict[str, dict[str, str]]) -> set[str]:
    return {body.get("table", body.get("name", "")) for body in entry.values()}
