"""What ``run`` refuses before it sends a request."""

import os
from pathlib import Path

import pytest

from liqo_connectivity.operator.cli import run


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(list(arguments))
    return code, capsys.readouterr().err


@pytest.mark.usefixtures("process")
def test_wrong_usage_ends_before_the_first_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outputs(capsys, "run", "--kubeconfig", str(tmp_path / "none"))[0] == 2
    code, err = outputs(capsys, "run", "--renew-deadline", "20")
    assert code == 2
    assert "--renew-deadline" in err
    rules = tmp_path / "wrong.dl"
    rules.write_text("member(P, Q) :- nothing.\n")
    code, err = outputs(capsys, "run", "--kubeconfig", os.devnull, "--rules", str(rules))
    assert code == 2
    assert "wrong.dl" in err
