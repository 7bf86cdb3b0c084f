"""``kubectl liqo-connectivity``: the real kubectl finds the plugin, runs it, and completes its arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools.control_plane_binaries import program

from liqo_connectivity import __version__
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.plugin_completion import answer
from tests.support.checkout import ROOT

SCRIPTS = Path(sys.executable).parent


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with nothing but the installed scripts on its path."""
    environment = {"PATH": f"{SCRIPTS}:/usr/bin:/bin", "HOME": os.devnull, "KUBECONFIG": os.devnull}
    command = [str(program("kubectl")), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)


def test_kubectl_lists_the_plugin() -> None:
    assert f"{SCRIPTS}/kubectl-liqo_connectivity" in kubectl("plugin", "list").stdout.splitlines()


def test_kubectl_runs_the_plugin() -> None:
    assert kubectl("liqo-connectivity", "version").stdout == f"liqo-connectivity {__version__}\n"


def test_the_exit_code_comes_through() -> None:
    done = kubectl("liqo-connectivity", "why", "shop/web-2", "shop/web-0", "-f", "examples/none")
    assert done.returncode == exits.USAGE, done.stderr


def test_help_names_it_as_it_was_called() -> None:
    assert kubectl("liqo-connectivity", "--help").stdout.startswith("Usage: kubectl liqo-connectivity ")


def test_kubectl_completes_commands_and_flags() -> None:
    lines = kubectl("__complete", "liqo-connectivity", "wh").stdout.splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["why", "why-not", ":4"]
    lines = kubectl("__complete", "liqo-connectivity", "render", "--kube").stdout.splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["--kubeconfig", ":4"]


@pytest.mark.parametrize("words", [["render", "-o", ""], ["completion", ""]])
def test_choices_are_completed(words: list[str]) -> None:
    *choices, directive = answer(words)
    assert choices
    assert directive == ":4"


@pytest.mark.parametrize("words", [["render", "-f", ""], ["render", "--rules", "own"]])
def test_files_are_left_to_the_shell(words: list[str]) -> None:
    assert answer(words) == [":0"]
