"""The kernel does with real packets what ``why`` says, and a harness that says so would notice if it did not."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.dataplane.federation import federation
from tests.dataplane.mutants import OPERATORS
from tests.dataplane.nodes import sees_bridges
from tests.dataplane.views import described
from tests.dataplane.world import misresolved
from tests.support.checkout import ROOT
from tests.support.seeds import SEEDS

CASES = sorted((ROOT / "tests" / "data" / "dataplane").glob("*.json"))
PROBES = 80_000 if SEEDS == "few" else 200_000
SERVED = ("ClusterIP", "hairpin", "node port", "from a node", "to a node")
"""The kinds of ways on which chains deny, beside that between pods."""
KINDS = (
    "new",
    "reply",
    "later",
    "related",
    "client first",
    "server first",
    "answer to the server",
    "too big",
    "neighbour",
    "after a move",
    "cut reply",
    "cut later",
    "cut error",
)
FORMS = ("tcp", "udp", "sctp", "icmp", "in fragments, IPv4", "in fragments, IPv6", "from the middle")
BRIDGES = ("bridge",) if sees_bridges() else ()
MUTANTS = 100 if SEEDS == "few" else 1_000
FIRST = 5 if SEEDS == "few" else 0
"""The first seed of mutants. From 0 on, the first rulesets drop so little that few mistakes in them matter."""


def harness(*arguments: str, status: int = 0) -> str:
    """What the harness prints."""
    command = [sys.executable, "-m", "tests.dataplane", "--processes", "1", *arguments]
    run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert run.returncode == status, (
        f"exit status {run.returncode}. Needs nft, ip, unshare and user namespaces; where the sandbox forbids them, run "
        f"the tests where it does not.\n{run.stdout}\n{run.stderr}"
    )
    return run.stdout


def counted(text: str, name: str) -> int:
    """The last number that the harness prints for something, or 0 if it does not name it."""
    return int([0, *re.findall(rf"(\d+) {re.escape(name)}", text)][-1])


@pytest.mark.slow
def test_the_kernel_does_what_why_says() -> None:
    said = harness("--probes", str(PROBES), "--seconds", "3000")
    assert counted(said, "probes") >= PROBES
    assert counted(said, "disagreements") == 0
    assert counted(said, "flows denied") > PROBES / 100
    assert counted(said, "flows allowed") > PROBES / 100
    for kind in KINDS:
        assert counted(said, f"of kind {kind}") > 0
    assert counted(said, "changes of sets alone") > 0
    assert counted(said, "chains in parts") > 0
    for path in (*SERVED, *BRIDGES, "node to node", "pod"):
        assert counted(said, f"by way of {path}") > 0
    for form in FORMS:
        assert counted(said, f"of form {form}") > 0
    assert counted(said, "topologies (mesh)") > 0
    assert counted(said, "topologies (site)") > 0
    assert counted(said, "flows unknown") < counted(said, "flows denied")


@pytest.mark.slow
def test_every_mistake_that_matters_is_noticed_and_no_other() -> None:
    said = harness("--mutants", str(MUTANTS), "--seconds", "3000", "--seed", str(FIRST))
    assert counted(said, "mutants") >= MUTANTS
    assert counted(said, "disagreements") == 0
    assert counted(said, "killed") + counted(said, "harmless") == counted(said, "mutants")
    assert counted(said, "killed") > MUTANTS / 4
    assert counted(said, "harmless") > MUTANTS / 10
    assert counted(said, "in federations") > MUTANTS / 20
    assert counted(said, "of chains in parts") > MUTANTS / 20
    if SEEDS != "few":
        assert all(counted(said, f"of {kind}") for kind in OPERATORS), "each kind of mistake is noticed at least once"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "kind", "became"),
    [
        ("drops", "new", r"denied[a-z, ]*: new packet arrived at [\w/-]+, but has to be dropped"),
        ("states", "answer to the server", "denied: answer to the server packet dropped, but has to arrive"),
    ],
)
def test_a_disagreement_is_found_made_smaller_and_explained(
    tmp_path: Path, mistake: str, kind: str, became: str
) -> None:
    command = ["unshare", "-rnm", sys.executable, "-m", "tests.dataplane.sabotage", mistake]
    run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["kind"] == kind
    if mistake == "drops":
        assert set(said["Forgetful"]) == {*SERVED, *BRIDGES, "pod"}, "denials that are missing are noticed on every way"
        assert set(said["Overreaching"]) >= {"from a node", "to a node", "node to node"}, "and that nodes are hit"
        assert set(said["unhooked"]) >= {*BRIDGES}, "and that no chain sees what a bridge forwards"
        assert said["forgotten"] == "new", "and that a set has kept a member"
    (complaint,) = said["complaints"]
    assert re.fullmatch(f"[a-z, ]*{became}", complaint)
    found = json.loads(said["case"])
    policies = [policy for member in found["whole"]["members"] for policy in member["policies"]]
    assert len(policies) == 1, "what does not matter is left out"
    assert sum(len(policy["rules"]) for policy in policies) <= 2
    for part in (
        "packet: ",
        "policy: Policy(",
        ": decided_by(",
        "chain connectivity {",
        " is at ",
        '"kind": "Namespace"',
    ):
        assert part in said["report"]
    file = tmp_path / "case.json"
    file.write_text(said["case"], "utf-8")
    # Without the mistake of that compiler nothing is wrong with it.
    assert counted(harness(str(file)), "disagreements") == 0


def test_a_service_that_why_resolves_otherwise_than_nodes_is_noticed() -> None:
    served = [(whole, member) for whole in map(federation, map(Random, range(3))) for member in whole.members]
    for whole, member in served:
        cluster = described(whole, member.name)
        assert not [*misresolved(cluster, member.services)]
        with_endpoints = [service for service in member.services if service.endpoints]
        moved = [replace(service, target=service.target + 1) for service in with_endpoints]
        fewer = [replace(service, endpoints=service.endpoints[1:]) for service in with_endpoints]
        for wrong in (moved, fewer):
            assert len([*misresolved(cluster, wrong)]) == len(wrong)
    assert sum(len(member.services) for _, member in served) > len(served)


def test_kept_cases_are_right() -> None:
    assert CASES
    assert counted(harness(*map(str, CASES)), "cases") == len(CASES)
