"""The kernel does with real packets what ``why`` says, and a harness that says so would notice if it did not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import ROOT
from tests.support.seeds import SEEDS

CASES = sorted((ROOT / "tests" / "data" / "dataplane").glob("*.json"))
PROBES = 80_000 if SEEDS == "few" else 200_000
MUTANTS = 100 if SEEDS == "few" else 1_000


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
    for kind in ("new", "reply", "later", "related", "client first", "server first", "answer to the server"):
        assert counted(said, f"of kind {kind}") > 0
    assert counted(said, "topologies (mesh)") > 0
    assert counted(said, "topologies (site)") > 0
    assert counted(said, "flows unknown") < counted(said, "flows denied")


@pytest.mark.slow
def test_every_mistake_that_matters_is_noticed_and_no_other() -> None:
    said = harness("--mutants", str(MUTANTS), "--seconds", "3000")
    assert counted(said, "mutants") >= MUTANTS
    assert counted(said, "disagreements") == 0
    assert counted(said, "killed") + counted(said, "harmless") == counted(said, "mutants")
    assert counted(said, "killed") > MUTANTS / 4
    assert counted(said, "harmless") > MUTANTS / 10


@pytest.mark.slow
def test_a_disagreement_is_found_made_smaller_and_explained(tmp_path: Path) -> None:
    command = ["unshare", "-rnm", sys.executable, "-m", "tests.dataplane.sabotage"]
    run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["first"] == "new"
    (complaint,) = said["complaints"]
    assert re.fullmatch(r"[a-z, ]*denied[a-z, ]*: new packet arrived at [\w/-]+, but has to be dropped", complaint)
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


def test_kept_cases_are_right() -> None:
    assert CASES
    assert counted(harness(*map(str, CASES)), "cases") == len(CASES)
