"""The chains do what the verdicts say: of an enforced peering, the same packets pass and the same are dropped.

Each peering's chain is asked alone, about flows that it governs and others, in every format that is written.
"""

import json
from collections.abc import Iterable, Iterator
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
    tables,
)
from tests.support.descriptions import Cluster
from tests.support.manifests import objects
from tests.support.random_clusters import cluster, flows
from tests.support.seeds import examples

CLUSTERS, FLOWS, PARTS = 160, 20, 2
KERNEL_CLUSTERS, KERNEL_FLOWS = 12, 20

Asked = list[tuple[str, str, str]]


def enforced_tables(model: Model) -> Iterator[tuple[chains.Table, tuple[chains.Table, ...]]]:
    """The table of each enforced peering for Liqo's agents, and those for nft, each assembled alone."""
    for part in layout(model).by_peering().values():
        (table,) = chains.assemble(part)
        yield table, chains.assemble_nft(part)


def packets(asked: Asked) -> list[Packet]:
    return [Packet(*flow) for flow in asked]


def expected(base: FactBase, model: Model, peering: str, asked: Asked) -> list[str]:
    """What the chain of an enforced peering has to do with each flow: drop what its policy denies, and nothing else.

    The verdict is unknown only for pods that Liqo may yet offload. Until it says so, the chain does without them.
    """
    without = _verdicts(_none_offloaded(base, asked, peering), peering)
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


def _none_offloaded(base: FactBase, asked: Asked, peering: str) -> Model:
    """What holds if this cluster offloads to a peering no namespace of which that is not known."""
    facts = facts_with(base, questions(asked))
    undecided = {
        row[1] for row in evaluate(program("mapping_unknown"), facts).rows("mapping_unknown") if row[0] == peering
    }
    facts["namespace_offloading"] = [row for row in facts.get("namespace_offloading", ()) if row[0] not in undecided]
    return evaluate(program("peering_verdict"), facts)


def ipv4_flows(asked: Iterable[tuple[str, str, str]]) -> Asked:
    """The flows that chains of family IPv4 see."""
    return [flow for flow in asked if ":" not in flow[0]]


def disagreement(described: Cluster, asked: Asked) -> tuple[str, int, int]:
    """What differs between verdicts and chains, and how many packets were dropped and accepted."""
    base = base_of(objects(described))
    model = solve(base, (*VERDICTS, *RENDERED), questions(asked))
    dropped = accepted = 0
    for table, compact in enforced_tables(model):
        wanted = expected(base, model, table.peering, asked)
        configuration = json.loads(chains.firewall_json([table]))["items"]
        transaction = json.loads(chains.nft_transaction_json(compact))["nftables"]
        derived = {name: {row for row in model.rows(name) if row[0] == table.peering} for name in RENDERED}
        for packet, verdict in zip(packets(asked), wanted, strict=True):
            told = (
                layout_verdict(derived, packet),
                configuration_verdict(configuration, packet),
                nft_verdict(transaction, packet),
            )
            if told != (verdict,) * 3:
                return f"{table.peering}, {packet}: {verdict}, but {told}\n{shown(described)}", 0, 0
            dropped += verdict == "drop"
            accepted += verdict == "accept"
    return "", dropped, accepted


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_chains_do_what_the_verdicts_say(part: int) -> None:
    dropped = accepted = 0
    for seed in range(part, CLUSTERS, PARTS):
        described, asked = example(20_000 + seed, FLOWS)
        found, drops, accepts = disagreement(described, ipv4_flows(asked))
        assert not found, f"seed {seed}: {found}"
        dropped += drops
        accepted += accepts
    assert dropped > 50
    assert accepted > 500


@settings(max_examples=examples(30), deadline=None)
@given(st.randoms(use_true_random=False))
def test_chains_do_what_the_verdicts_say_on_clusters_that_shrink(rng: Random) -> None:
    described = cluster(rng)
    found, _, _ = disagreement(described, ipv4_flows(flows(rng, described, 8)))
    assert not found, found


@pytest.mark.parametrize("seed", range(KERNEL_CLUSTERS))
def test_what_the_kernel_lists_after_loading_the_script_does_what_the_verdicts_say(seed: int) -> None:
    described, asked = example(30_000 + seed, KERNEL_FLOWS)
    asked = ipv4_flows(asked)
    base = base_of(objects(described))
    model = solve(base, (*VERDICTS, *RENDERED), questions(asked))
    found = list(enforced_tables(model))
    assert tuple(table for table, _ in found) == tables(model)
    listing = nft.load_script(chains.nft_script(table for _, both in found for table in both))
    for table, _ in found:
        own = [entry for entry in listing if table.name in _tables_of(entry)]
        told = [nft_verdict(own, packet) for packet in packets(asked)]
        assert told == expected(base, model, table.peering, asked), shown(described)


def _tables_of(entry: dict[str, dict[str, str]]) -> set[str]:
    return {body.get("table", body.get("name", "")) for body in entry.values()}
