"""``make playground`` does what the README shows of it."""

import re
import subprocess
import sys

import pytest

from tests.support.operator_process import ROOT, environment

pytestmark = pytest.mark.slow

AGE = re.compile(r"\d+m?s$")


def test_the_playground_shows_what_the_readme_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.playground"], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = {AGE.sub("", line) for line in done.stdout.splitlines()}
    shown = (ROOT / "README.md").read_text("utf-8").partition("$ make playground\n")[2].partition("```")[0]
    lines = [line for line in shown.splitlines() if line and line != "…"]
    assert len(lines) > 5
    assert [line for line in lines if AGE.sub("", line) not in printed] == []
    # The policy is deleted at the end, and takes its chain with it.
    assert "No resources found" in done.stderr
