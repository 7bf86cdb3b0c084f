"""An interrupt ends every command with 130 and no traceback, whatever it is doing."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.command_process import Shell, is_one_line
from tests.support.waiting import eventually

INTERRUPT = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "liqo_connectivity.operator.verbs":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from liqo_connectivity.operator.cli import main
main()
"""
"""Starts the command line, and interrupts it while it imports."""
WAITING = """
import atexit, threading
from liqo_connectivity.operator import cli
def waits(arguments):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return 3
cli.run = waits
atexit.register(print, "taken apart")
cli.main()
"""
"""A command that ends while a thread of its process waits, as those of watches do for the API server."""


def seconds_of(pid: int) -> float:
    """The CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def interrupt(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    """Interrupt a process as a terminal does; give its exit code and what it said."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("arguments", [("render", "-f", "-"), ("verify", "-", "--facts", "-")], ids=" ".join)
def test_while_stdin_is_read(arguments: tuple[str, ...], shell: Shell) -> None:
    process = shell.start(*arguments)
    assert process.stdin is not None
    # More than a pipe holds: this returns when the command has begun to read.
    process.stdin.write(b"# a comment\n" * 50_000)
    process.stdin.flush()
    code, out, err = interrupt(process)
    assert (code, out) == (130, b"")
    assert is_one_line(err, "interrupted")


@pytest.mark.parametrize(
    "arguments",
    [
        ("render",),
        pytest.param(("run", "--once"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_while_the_server_is_asked(arguments: tuple[str, ...], shell: Shell, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        config = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here"}}],
            "clusters": [{"name": "here", "cluster": {"server": url}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        process = shell.start(*arguments, "--kubeconfig", str(tmp_path / "kubeconfig"))
        connection, _ = server.accept()
        with connection:
            assert connection.recv(3) == b"GET"
            code, out, err = interrupt(process)
    assert (code, out) == (130, b"")
    assert b"Traceback" not in err


def test_while_the_controller_is_asked(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = shell.start("query", "pod(P, _)", "--operator", LIQO_CONNECTIVITY_OPERATOR=url)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(3) == b"GET"
            code, out, err = interrupt(process)
    assert (code, out) == (130, b"")
    assert is_one_line(err, "interrupted")


@pytest.mark.slow
def test_while_rules_are_evaluated(shell: Shell, tmp_path: Path) -> None:
    rules = tmp_path / "long.dl"
    rules.write_text(".decl n(x: number)\nn(0).\nn(X + 1) :- n(X), X < 2000000000.\n")
    arguments = ("query", "n(X)", "-f", "examples/consumer", "--rules", str(rules))
    process = shell.start(*arguments)
    # Reading rules and objects takes less.
    eventually(lambda: seconds_of(process.pid) > 3)
    code, out, err = interrupt(process)
    assert (code, out) == (130, b"")
    assert is_one_line(err, "interrupted")


def test_while_modules_are_imported(shell: Shell) -> None:
    done = shell.run(f"${{LIQO% -m *}} -c '{INTERRUPT}' version")
    assert (done.returncode, done.stdout) == (130, b"")
    assert is_one_line(done.stderr, "interrupted")


def test_an_interpreter_with_a_waiting_thread_is_not_taken_apart() -> None:
    """Such a thread could crash it then."""
    ended = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")
