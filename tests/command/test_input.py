"""Where objects come from: stdin, manifests and dumps, with a progress bar on a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from liqo_connectivity.operator.sources import files
from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs


def child(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "liqo_connectivity", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, cwd=ROOT, check=False)


def test_manifests_come_from_stdin(cluster: str) -> None:
    manifests = b"\n---\n".join(path.read_bytes() for path in sorted(Path(cluster).iterdir()))
    piped = child("why", "shop/web-0", "infra/dns-0", "-f", "-", stdin=manifests)
    assert piped.returncode == 1
    assert piped.stdout == child("why", "shop/web-0", "infra/dns-0", "-f", cluster).stdout


@pytest.mark.parametrize("redact", [[], ["--redact"]], ids=["plain", "redacted"])
def test_a_dump_answers_like_the_manifests(
    redact: list[str], cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / "facts.jsonl"
    dump.write_text(outputs(capsys, "facts", "dump", "-f", cluster, *redact)[1])
    arguments = ["why", "ip:10.71.2.10", "ip:10.244.1.9", "-o", "json", "-f"]
    answers = [json.loads(outputs(capsys, *arguments, source)[1]) for source in (cluster, str(dump))]
    for answer in answers:
        (peering,) = answer["peerings"]
        assert (answer["verdict"], peering["decidedBy"]) == ("denied", {"kind": "rule", "index": 1, "action": "deny"})


def test_a_dump_in_a_folder_answers_like_the_manifests(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "facts")
    assert outputs(capsys, "facts", "dump", "-f", cluster, "-o", "souffle", "--output-folder", folder)[0] == 0
    assert outputs(capsys, "render", "-f", folder)[1] == outputs(capsys, "render", "-f", cluster)[1]


def test_a_dump_read_back_is_counted(cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = tmp_path / "facts.jsonl"
    dump.write_text(outputs(capsys, "facts", "dump", "-f", cluster)[1])
    code, out, _ = outputs(capsys, "facts", "load", str(dump), "-o", "json")
    assert code == 0
    assert json.loads(out)["pod"] == 29


def test_reading_that_takes_long_draws_a_bar_on_a_terminal_only(
    cluster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_QUIET_SECONDS", 0.0)
    assert "reading  [" not in outputs(capsys, "render", "-f", cluster)[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, out, err = outputs(capsys, "render", "-f", cluster)
    assert "reading  [" in err
    assert "reading  [" not in out


def test_reading_that_is_quick_draws_no_bar(
    cluster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "reading  [" not in outputs(capsys, "render", "-f", cluster)[2]
