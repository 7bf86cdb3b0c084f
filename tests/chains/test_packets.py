"""What a kernel forwards is what ``why`` says: real packets cross a router that holds the rendered chains.

Needs nft, ip and unshare, and user namespaces; without them these tests fail, since skipped they would look passed.
"""

import json
import shutil
import subprocess
import sys
from ipaddress import ip_address, ip_network

import pytest

from liqo_connectivity import chains
from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase, kind_of
from tests.support import recordings
from tests.support.checkout import ROOT
from tests.support.clusters import RENDERED, VERDICTS, base_of, questions, solve, tables, verdicts

ELSEWHERE = "203.0.113.0/24"
SECONDS = 60
Flow = tuple[str, str, str, str]
"""Endpoint and source, endpoint and destination."""


class NoRouterError(AssertionError):
    """The machine cannot run a router in namespaces: a tool is missing, or the sandbox forbids it."""


def forward(script: str, endpoints: dict[str, list[str]], flows: list[Flow]) -> list[tuple[bool, bool]]:
    """Whether each flow, and the reply to it, crossed a router with a ruleset. Raises NoRouterError."""
    for tool, package in (("nft", "nftables"), ("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(tool) is None:
            raise NoRouterError(f"{tool} is not installed: these tests load what we render; install {package}")
    given = json.dumps({"script": script, "endpoints": endpoints, "flows": flows})
    command = ["unshare", "-rn", sys.executable, "-m", "tests.support.router"]
    run = subprocess.run(command, input=given, text=True, capture_output=True, timeout=SECONDS, check=False, cwd=ROOT)
    if run.returncode != 0:
        raise NoRouterError(
            f"the router ended with exit status {run.returncode}. If it is not allowed to make user or network "
            f"namespaces, or to set ip_forward in them, this sandbox forbids it: run the tests where it is allowed.\n"
            f"{run.stderr}"
        )
    return [(passed, replied) for passed, replied in json.loads(run.stdout)]


def endpoints_of(base: FactBase, model: Model) -> dict[str, list[str]]:
    """The namespaces behind the router: a worker for the addresses of its pods, a cluster for its CIDRs, and the rest."""
    virtual = {row[0] for row in model.rows("virtual")}
    nodes = {str(pod): str(node) for pod, node in base.rows("pod_node") if node not in virtual}
    remote = [(str(peering), str(cidr)) for peering, _, cidr in model.rows("remote_cidr")]
    found: dict[str, set[str]] = {"elsewhere": {ELSEWHERE}}
    for pod, address in base.rows("pod_ip"):
        if pod in nodes and ":" not in str(address):
            found.setdefault(nodes[str(pod)], set()).add(f"{address}/32")
    for peering, cidr in remote:
        found.setdefault(peering, set()).add(cidr)
    for _, address in base.rows("pod_ip"):
        known = {cidr for cidrs in found.values() for cidr in cidrs}
        if ":" not in str(address) and not any(ip_address(str(address)) in ip_network(c) for c in known):
            found["elsewhere"].add(f"{address}/32")
    return {name: sorted(cidrs) for name, cidrs in sorted(found.items())}


def addresses_of(endpoints: dict[str, list[str]], base: FactBase) -> dict[str, list[str]]:
    """The addresses to send from and to: those of pods, and one of each CIDR that no pod has."""
    pods = {str(address) for _, address in base.rows("pod_ip")}
    found: dict[str, list[str]] = {}
    for name, cidrs in endpoints.items():
        networks = [ip_network(cidr) for cidr in cidrs]
        inside = {a for a in pods if ":" not in a and any(ip_address(a) in network for network in networks)}
        inside |= {str(network[-2]) for network in networks if network.prefixlen < 32}
        found[name] = sorted(inside)[::2] if len(inside) > 6 else sorted(inside)
    return found


@pytest.mark.parametrize("state", ["rome", "rome-4", "milan"])
def test_the_kernel_forwards_what_why_allows(state: str) -> None:
    found = [*recordings.objects_of(state), *recordings.policies_of(state)]
    base = base_of(o for o in found if kind_of(o["apiVersion"], o["kind"]) is not None)
    known = solve(base, ["virtual", "remote_cidr"])
    endpoints = endpoints_of(base, known)
    addresses = addresses_of(endpoints, base)
    flows: list[Flow] = [
        (start, source, end, destination)
        for start in endpoints
        for end in endpoints
        if start != end
        for source in addresses[start]
        for destination in addresses[end]
    ]
    assert 100 < len(flows) < 900
    asked = [(source, destination, "new") for _, source, _, destination in flows]
    model = solve(base, (*VERDICTS, *RENDERED), questions(asked))
    said = verdicts(model)
    told = forward(chains.nft_script(tables(model)), endpoints, flows)
    for flow, verdict, (passed, replied) in zip(flows, said, told, strict=True):
        assert passed == (verdict == "allowed"), f"{flow}: why says {verdict}"
        assert replied == passed, f"{flow}: the reply to what passed is established"
    denied = {flow[:2] for flow, verdict in zip(asked, said, strict=True) if verdict == "denied"}
    assert len(denied) > 20
    one_way = [flow for flow, (passed, _) in zip(flows, told, strict=True) if passed and (flow[3], flow[1]) in denied]
    # The policy of milan treats both directions alike; those of rome do not.
    assert bool(one_way) == (state != "milan"), "replies passed although a new flow in their direction is denied"


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "nft" else tool)
    with pytest.raises(NoRouterError, match="nft is not installed"):
        forward("", {}, [])
