"""The agent on a node: what it makes of a file of chains, of changes of others, of restarts, and of a reboot."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from liqo_connectivity.operator.agent.desired.saved import NAME
from liqo_connectivity.operator.agent.kernel.reader import Reader
from tests.support.agent_on_file import agent, replace
from tests.support.agent_tables import is_there, made, nft, objects
from tests.support.checkout import ROOT
from tests.support.http import get
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

PROGRAM = (sys.executable, "-m", "liqo_connectivity", "agent")


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


# ---- A file of chains ----


def test_once_applies_and_a_second_time_writes_nothing(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"
    chains.write_text(objects(made()), "utf-8")

    def scenario() -> tuple[int, bool, int, int]:
        first, _ = run("--chains", str(chains), "--once")
        right, before = is_there(made()), Reader().generation()
        second, _ = run("--chains", str(chains), "--once")
        return first, right, second, Reader().generation() - before

    assert in_own_namespace(scenario) == (0, True, 0, 0)


def test_it_follows_the_file_and_what_is_not_whole_changes_nothing(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"
    whole = objects(made())
    items = json.loads(objects(made(3)))["items"]
    without_slice = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [each for each in items if "Slice" not in each["kind"]]}
    )
    edited = objects(made(3)).replace('"verdict": "drop"', '"verdict": "accept"')

    def scenario() -> tuple[list[str], list[bool], bool, str]:
        said: list[str] = []
        same: list[bool] = []
        chains.write_text(whole, "utf-8")
        with agent(chains) as held:
            held.turn()
            for text in (whole[: len(whole) // 2], "", without_slice, edited, "kind: Pod\n", "\0"):
                replace(chains, text)
                held.turn()
                said.append(held.state.unready)
                same.append(is_there(made()))
            chains.unlink()
            held.turn()
            said.append(held.state.unready)
            same.append(is_there(made()))
            replace(chains, objects(made(3)))
            held.turn()
            return said, same, is_there(made(3)), held.state.unready

    said, same, right, unready = in_own_namespace(scenario)
    assert same == [True] * 7
    expected = ("cut off", "no ConnectivityChain", "ConnectivitySetSlices are missing: milan-", "altered or lost")
    for words, text in zip((*expected, "is neither ConnectivityChain", "NUL", "No such file"), said, strict=True):
        assert words in text
    assert (right, unready) == (True, "")


def test_chains_that_a_file_no_longer_names_stay_unless_they_are_to_be_pruned(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"

    def scenario() -> tuple[bool, bool, bool]:
        chains.write_text(objects(made(), made(peering="rome")), "utf-8")
        with agent(chains) as held:
            held.turn()
            replace(chains, objects(made(3)))
            held.turn()
            both = is_there(made(3), made(peering="rome"))
        with agent(chains, prune=True) as held:
            held.turn()
            one = is_there(made(3))
            replace(chains, "")
            held.turn()
            return both, one, is_there(made(3))

    assert in_own_namespace(scenario) == (True, True, True)


def test_one_peering_that_is_not_complete_keeps_no_other_from_its_chains(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"
    document = json.loads(objects(made(3), made(3, peering="rome")))
    document["items"] = [each for each in document["items"] if each["metadata"]["name"] != "milan-1-0"]

    def scenario() -> tuple[bool, dict[str, str]]:
        chains.write_text(objects(made(), made(peering="rome")), "utf-8")
        with agent(chains, prune=True) as held:
            held.turn()
            replace(chains, json.dumps(document))
            held.turn()
            right = is_there(made(), made(3, peering="rome"))
            return right, {peering: each.error for peering, each in held.state.peerings.items()}

    right, errors = in_own_namespace(scenario)
    assert right
    assert (errors["rome"], "milan-1-0 at revision 1" in errors["milan"]) == ("", True)


# ---- The process ----


def test_the_process_repairs_serves_and_leaves_the_tables_when_it_ends(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"
    chains.write_text(objects(made()), "utf-8")

    def scenario() -> tuple[str, str, str, int, bool, bool]:
        process = subprocess.Popen([*PROGRAM, "--chains", str(chains), "--address", "127.0.0.1:8083"])
        try:
            ready = eventually(lambda: _body("/readyz"))
            nft("flush ruleset")
            eventually(lambda: is_there(made()))
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split():
                os.kill(int(child), signal.SIGKILL)
            replace(chains, objects(made(4)))
            eventually(lambda: is_there(made(4)))
            metrics, counters = _body("/metrics"), _body("/counters")
            process.terminate()
            code = process.wait(30)
            return ready, metrics, counters, code, is_there(made(4)), run("--cleanup")[0] == 0 and is_there()
        finally:
            process.kill()
            process.wait()

    ready, metrics, counters, code, left, clean = in_own_namespace(scenario)
    assert "[+]chains ok" in ready
    assert "liqo_connectivity_agent_repairs_total 1.0" in metrics
    assert 'liqo_connectivity_rule_packets_total{peering="milan",rule="0"} 0.0' in metrics
    assert 'liqo_connectivity_agent_elements{peering="milan"} 4.0' in metrics
    assert 'liqo_connectivity_agent_last_apply_timestamp_seconds{peering="milan"}' in metrics
    assert {each["counter"]["table"] for each in json.loads(counters)["nftables"]} == {"lce-milan"}
    assert (code, left, clean) == (0, True, True)


def _body(path: str) -> str:
    try:
        status, text, _ = get(8083, path)
    except OSError:
        return ""
    return text if status == 200 else ""


def test_cleanup_deletes_exactly_what_is_ours(tmp_path: Path) -> None:
    chains, saved = tmp_path / "chains.json", tmp_path / "saved"
    chains.write_text(objects(made(), made(peering="rome")), "utf-8")
    foreign = 'add table ip lce-of-another\nadd table inet filter\nadd table ip connectivity-milan\nadd table ip other {{ comment "liqo-connectivity-engine"; }}\n'

    def scenario() -> tuple[tuple[int, str], bool, str, int]:
        nft(foreign.replace("{{", "{").replace("}}", "}"))
        run("--chains", str(chains), "--once", "--state", str(saved))
        had = (saved / NAME).exists()
        cleaned = run("--cleanup", "--state", str(saved))
        listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
        again, _ = run("--cleanup")
        return cleaned, had and not (saved / NAME).exists(), listed, again

    (code, said), gone, listed, again = in_own_namespace(scenario)
    assert (code, said, gone, again) == (0, "deleted table ip lce-milan\ndeleted table ip lce-rome\n", True, 0)
    names = sorted(line.removeprefix("table ") for line in listed.splitlines())
    assert names == ["inet filter", "ip connectivity-milan", "ip lce-of-another", "ip other"]


def test_without_the_permission_it_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "chains.json").write_text(objects(made()), "utf-8")
    capable = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]

    def scenario() -> tuple[int, str]:
        done = subprocess.run(
            [*capable, *PROGRAM, "--chains", str(tmp_path / "chains.json"), "--once"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    code, said = in_own_namespace(scenario)
    assert code == 2
    assert "CAP_NET_ADMIN" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--once",), "--once and --prune are for --chains FILE"),
        (("--chains", "x", "--context", "y"), "--chains FILE takes the place of a cluster"),
        (("--kubeconfig", "absent"), "no cluster to talk to"),
        (("--cleanup", "--once"), "--cleanup takes only --state"),
        (("--chains", "x", "--address", "0.0.0.0:80"), "only loopback is served"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    code, said = run(*arguments)
    assert (code, words in said) == (2, True)


# ---- The help ----


def test_the_examples_of_the_help_run(tmp_path: Path) -> None:
    """Each in the place of a node, one after the other."""
    help_text = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in help_text.partition("Examples:")[2].splitlines()]
    examples = [
        line.removeprefix("sudo ") for line in lines if "liqo-connectivity " in line and "--kubeconfig" not in line
    ]
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    def scenario() -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for line in examples:
            shell = line.replace("liqo-connectivity", "$PROGRAM", 1).replace("/var/lib/", f"{tmp_path}/")
            stays = "--once" not in line and "--chains" in line
            process = subprocess.Popen(
                ["sh", "-c", f"exec {shell}"],
                cwd=tmp_path,
                env={**os.environ, "PROGRAM": " ".join(PROGRAM[:-1])},
                stderr=subprocess.PIPE,
            )
            if stays:
                eventually(lambda: _body("/readyz"))
                process.terminate()
            process.communicate(timeout=60)
            found.append((line, process.returncode))
        return found

    found = in_own_namespace(scenario)
    assert len(found) >= 4
    assert [each for each in found if each[1] != 0] == []
