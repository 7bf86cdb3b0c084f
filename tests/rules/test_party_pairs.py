"""Every pair of parties of a rule, on a cluster that is consumer and provider of one peer and consumer of another with
the same pod CIDR: the chains and the kernel do what a table written by hand says, and ``why`` says the same, or that it
is unknown because such packets do not cross the chains.
"""

import itertools
import json
from functools import cache

import pytest

from liqo_connectivity import chains
from liqo_connectivity.facts import KIND_BY_NAME, FactBase, decode_mapping, read
from liqo_connectivity.rules.relations import Flow
from tests.support import nft
from tests.support.case_objects import base_texts, policy
from tests.support.case_outcome import laid_out, solve
from tests.support.chain_verdict import Packet, configuration_verdict

ADDRESSES = {
    "shop/db-0": "10.244.1.7",
    "shop/web-0 on milan": "10.71.2.10",
    "blog/back-0": "10.244.1.8",
    "blog/front-0 on naples": "10.73.2.10",
    "mail/in-0": "10.244.1.11",
    "mail/out-0 on naples": "10.73.2.11",
    "infra/dns-0": "10.244.1.9",
    "cart-milan/cart-0 of milan": "10.244.2.12",
    "a pod of milan": "10.71.9.9",
    "a host of milan": "10.68.0.1",
    "a host of naples": "10.67.0.1",
    "a node": "172.18.0.11",
    "a service": "10.96.0.10",
    "the Internet": "192.0.2.1",
}
EVERYTHING = frozenset(ADDRESSES)
LOCAL = frozenset({"shop/db-0", "blog/back-0", "mail/in-0", "infra/dns-0", "cart-milan/cart-0 of milan"})
REMOTE = frozenset({"shop/web-0 on milan", "a pod of milan", "a host of milan"})
PARTIES = {
    "local-cluster": LOCAL,
    "remote-cluster": REMOTE,
    "offloaded": frozenset({"cart-milan/cart-0 of milan"}),
    "vc-local": frozenset({"shop/db-0", "mail/in-0"}),
    "vc-remote": frozenset({"shop/web-0 on milan"}),
    "private-subnets": EVERYTHING - {"the Internet"},
    "ns:mail": frozenset({"mail/in-0", "mail/out-0 on naples"}),
    "any": EVERYTHING,
}
"""Who is in a party of a rule of the peering milan."""
OWNED = REMOTE | PARTIES["offloaded"] | PARTIES["vc-local"] | PARTIES["vc-remote"]
NAPLES = [
    (source, destination)
    for source in ("blog/front-0 on naples", "mail/out-0 on naples")
    for destination in ("blog/back-0", "mail/in-0")
]
"""What the policy of naples denies: its remote to its local pods."""
ON_OTHER_NODES = frozenset({"cart-milan/cart-0 of milan"})
"""The pods on other nodes than "a node". What they send to it crosses chains; what others send, perhaps not."""
PAIRS: list[tuple[str, str]] = list(itertools.product(ADDRESSES, ADDRESSES))
FLOWS = [Flow(f"{a} -> {b}", ADDRESSES[a], ADDRESSES[b], "new") for a, b in PAIRS]


def expected(source: str, destination: str, ends: tuple[str, str]) -> str:
    scope = OWNED | (PARTIES["ns:mail"] if "ns:mail" in (source, destination) else frozenset())
    governed = ends[0] in scope or ends[1] in scope
    matched = ends[0] in PARTIES[source] and ends[1] in PARTIES[destination]
    return "denied" if (governed and matched) or ends in NAPLES else "allowed"


def answered(enforced: str, ends: tuple[str, str]) -> str:
    """What ``why`` says about a flow, given what chains do with packets that have its addresses."""
    rewritten = "a service" in ends
    dropped_unseen = enforced == "denied" and ends[1] == "a node" and ends[0] not in ON_OTHER_NODES
    return "unknown" if rewritten or dropped_unseen else enforced


@cache
def cluster() -> FactBase:
    with laid_out({"base.yaml": "---\n".join(base_texts("both")).encode()}) as files:
        return read(files).base


@pytest.mark.parametrize("destination", PARTIES)
@pytest.mark.parametrize("source", PARTIES)
def test_why_and_chains_agree_with_the_table(source: str, destination: str) -> None:
    base = cluster()
    for written in (
        policy("milan", ("deny", source, destination)),
        policy("naples", ("deny", "vc-remote", "vc-local")),
    ):
        decoded = decode_mapping(KIND_BY_NAME["PeeringConnectivity"], written)
        base.replace(decoded.key, decoded.facts)
    model = solve(base, (*chains.COLUMNS, "flow_verdict"), FLOWS)
    told = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    wanted = {flow.flow: expected(source, destination, ends) for flow, ends in zip(FLOWS, PAIRS, strict=True)}
    assert told == {flow.flow: answered(wanted[flow.flow], ends) for flow, ends in zip(FLOWS, PAIRS, strict=True)}
    tables = chains.assemble(chains.Layout.from_relations({name: model.rows(name) for name in chains.COLUMNS}))
    made = [json.loads(json.dumps(chains.firewall_object(table))) for table in tables]
    for flow in FLOWS:
        enforced = configuration_verdict(made, Packet(flow.source, flow.destination))
        assert (flow.flow, {"accept": "allowed", "drop": "denied"}[enforced]) == (flow.flow, wanted[flow.flow])
    if source == destination:
        # Packets to oneself never leave the sender's stack here, so they say nothing.
        sent = [flow for flow in FLOWS if flow.source != flow.destination]
        answers = nft.send(chains.nft_script(tables), [(flow.source, flow.destination) for flow in sent])
        verdicts = {"accept": "allowed", "drop": "denied"}
        assert {f.flow: verdicts[first] for f, (first, _) in zip(sent, answers, strict=True)} == {
            flow.flow: wanted[flow.flow] for flow in sent
        }
        assert {reply for first, reply in answers if first == "accept"} == {"accept"}
