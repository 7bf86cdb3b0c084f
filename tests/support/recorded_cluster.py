"""Commands asked about the recorded cluster ``rome``, with a policy for its peering."""

import gzip
from pathlib import Path

import pytest

from liqo_connectivity.operator.cli import run
from tests.support.checkout import ROOT

POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-remote}, destination: {group: vc-local}, action: allow}
  - {source: {group: remote-cluster}, action: deny}
"""


def write_cluster(folder: Path) -> None:
    """Write the recorded cluster and the policy to a folder."""
    recorded = ROOT / "tests" / "data" / "snapshots" / "rome.yaml.gz"
    (folder / "rome.yaml").write_bytes(gzip.decompress(recorded.read_bytes()))
    (folder / "policy.yaml").write_text(POLICY)


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command; give its exit code, stdout and stderr."""
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err
