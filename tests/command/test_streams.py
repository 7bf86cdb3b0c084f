"""Streams that are full, closed or gone, and text that they cannot hold: one line and the right exit code."""

import os
import pty
import subprocess
import sys
import termios
from fcntl import F_SETPIPE_SZ, fcntl, ioctl
from pathlib import Path
from struct import pack

import pytest

from tests.support.checkout import ROOT
from tests.support.command_process import Shell, is_one_line

INPUT = "-f examples/provider/policy.yaml"
QUICK = ("--help", f"check {INPUT}")
OTHERS = (
    *("rules show", "completion zsh", "render -f examples/consumer -o nft", f"facts dump {INPUT}"),
    "verify /dev/null --facts /dev/null",
)


@pytest.mark.parametrize("command", [*QUICK, *(pytest.param(command, marks=pytest.mark.slow) for command in OTHERS)])
def test_a_full_disk_is_an_error_and_no_verdict(command: str, shell: Shell) -> None:
    done = shell.run(f"$LIQO {command} > /dev/full")
    assert done.returncode == 4
    assert is_one_line(done.stderr.splitlines()[-1], "error: the output cannot be written: No space left on device")


@pytest.mark.parametrize("command", QUICK)
def test_a_closed_stdout_is_an_error_and_no_verdict(command: str, shell: Shell) -> None:
    done = shell.run(f"$LIQO {command} >&-")
    assert done.returncode == 4
    assert is_one_line(done.stderr.splitlines()[-1], "error: the output cannot be written: Bad file descriptor")


@pytest.mark.parametrize("command", QUICK)
def test_a_reader_that_goes_away_ends_a_command_as_sigpipe_does(command: str, shell: Shell) -> None:
    done = shell.run(f"(sleep 0.1; $LIQO {command}; echo $? >&2) | true")
    assert done.stderr.splitlines()[-1] == b"141"
    assert b"rror" not in done.stderr


def test_a_reader_that_has_enough_ends_a_command_as_sigpipe_does(shell: Shell) -> None:
    with shell.start("facts", "dump", "-f", "examples/consumer") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The dump must not fit into the pipe, or the command is done before its reader goes away.
        fcntl(process.stdout, F_SETPIPE_SZ, 4096)
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (141, b"")


def test_a_full_file_is_an_error(shell: Shell, tmp_path: Path) -> None:
    done = shell.run(f"ulimit -f 0; $LIQO rules show > {tmp_path}/rules")
    assert done.returncode == 4
    assert is_one_line(done.stderr, "error: the output cannot be written: File too large")


def test_a_dump_that_does_not_fit_leaves_no_part_of_it(shell: Shell, tmp_path: Path) -> None:
    done = shell.run(f"ulimit -f 0; $LIQO facts dump -f examples/consumer -o souffle --output-folder {tmp_path}/dump")
    assert done.returncode == 4
    assert is_one_line(done.stderr, ".facts: File too large")
    assert [*(tmp_path / "dump").iterdir()] == []


@pytest.mark.slow
def test_a_cache_that_does_not_fit_does_no_harm(shell: Shell, tmp_path: Path) -> None:
    command = "$LIQO why shop/web-2 shop/web-0 -f examples/consumer"
    # Python is killed if the bytecode of what it starts with does not fit.
    shell.run("$LIQO version", PYTHONPYCACHEPREFIX=str(tmp_path))
    done = shell.run(f"ulimit -f 0; {command} | cat; exit ${{PIPESTATUS[0]}}", PYTHONPYCACHEPREFIX=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"ALLOWED")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pyc"] == []


@pytest.mark.parametrize(("arguments", "code"), [("render -f examples/provider", 0), ("render -f nowhere", 2)])
@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
def test_messages_that_cannot_be_written_change_no_other_exit_code(
    arguments: str, code: int, stream: str, shell: Shell
) -> None:
    done = shell.run(f"$LIQO {arguments} {stream} > /dev/null")
    # A warning beside an answer is a part of it; one that the caller closes stderr to is not missed.
    assert done.returncode == (4 if code == 0 and stream == "2>/dev/full" else code)
    assert done.stderr == b""


def test_a_closed_stdin_is_named_by_who_reads_it(shell: Shell) -> None:
    read = shell.run("$LIQO check -f - <&-")
    assert read.returncode == 3
    assert read.stderr.startswith(b"error: stdin: cannot be read: Bad file descriptor")
    verify = shell.run("$LIQO verify - --facts - <&-")
    assert verify.returncode == 2
    assert b"-: Bad file descriptor" in verify.stderr
    other = shell.run(f"$LIQO check {INPUT} <&-")
    assert other.returncode == shell.run(f"$LIQO check {INPUT}").returncode


def test_all_streams_may_be_closed(shell: Shell) -> None:
    assert shell.run(f"$LIQO check {INPUT} <&- >&- 2>&-").returncode == 4


ODD = r"$'\xff\xed\xa0\x80'"
"""Two things that no UTF-8 text holds: a byte, and a surrogate."""


@pytest.mark.parametrize("output", ["text", "json", "yaml"])
def test_bytes_that_are_not_text_are_escaped(output: str, shell: Shell) -> None:
    done = shell.run(f"$LIQO query $'X = \"\\xff\"' {INPUT} -o {output}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcff" in done.stdout.lower()


@pytest.mark.parametrize(
    "command",
    [
        f"render -f {ODD}",
        f"render -f examples/provider --rules {ODD}",
        f"render --kubeconfig {ODD}",
        f"why group:{ODD}@milan a/b {INPUT}",
        f"rules show {ODD}",
        f"facts load {ODD}",
        f"verify {ODD} --facts {ODD}",
    ],
)
def test_arguments_that_are_not_text_are_named(command: str, shell: Shell) -> None:
    done = shell.run(f"$LIQO {command}", KUBECONFIG="/nowhere")
    assert done.returncode == 2
    assert b"internal error" not in done.stderr
    assert b"Error: " in done.stderr
    assert b"\xff" not in done.stderr


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1:strict"},
    ],
    ids=str,
)
def test_no_locale_is_in_the_way_of_an_answer(locale: dict[str, str], shell: Shell) -> None:
    done = shell.run(f"$LIQO query 'X = \"\u00e9\"' {INPUT}", **locale)
    assert (done.returncode, done.stderr) == (0, b"")
    # As it is, or escaped where the locale cannot tell what it is.
    assert done.stdout.splitlines()[1].strip(b'"') in (b"\xc3\xa9", b"\xe9", rb"\udcc3\udca9")


@pytest.mark.parametrize("columns", ["", "0"])
def test_a_terminal_without_a_width_shows_help(columns: str, shell: Shell) -> None:
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, pack("HHHH", 0, 0, 0, 0))
    variables = {"COLUMNS": columns} if columns else {}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "liqo_connectivity", "why", "--help"],
            cwd=ROOT,
            env=shell.environment(variables),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            check=False,
        )
        shown = os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert b"Usage: liqo-connectivity why" in shown
