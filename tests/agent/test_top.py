"""``top``: what rules have counted, from a node's list of counters and from its agent."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from liqo_connectivity.operator.agent.telling.counts import RuleCount, by_rule, listing, read_listing
from liqo_connectivity.operator.commands.top import command
from tests.support.agent_tables import made, objects
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

COUNTERS = [
    ("ip", "lce-milan", "rule-10-0a1b2c3d.original", 7, 700),
    ("ip6", "lce-milan", "rule-10-0a1b2c3d.reply", 2, 200),
    ("ip", "lce-milan", "rule-2-0a1b2c3d.packet", 3, 90),
    ("ip", "lce-milan", "rule-2-0a1b2c3d.original", 0, 0),
    ("ip", "lce-rome", "default-0a1b2c3d.original", 100, 10_000),
    ("ip", "lce-rome", "rule-0-0a1b2c3d.original", 0, 0),
    ("ip", "lce-milan", "default-0a1b2c3d.original", 0, 0),
    ("ip", "lce-milan", "mine", 1, 1),
    ("ip", "kube-proxy", "rule-2-0a1b2c3d.original", 5, 5),
]


def listed() -> str:
    counters = [
        {"counter": {"family": family, "name": name, "table": table, "handle": 1, "packets": packets, "bytes": octets}}
        for family, table, name, packets, octets in COUNTERS
    ]
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *counters]})


def top(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(command, arguments, input=given, standalone_mode=False)


def test_counts_are_by_peering_and_rule_in_the_order_of_policies() -> None:
    assert by_rule(read_listing(listed())) == [
        RuleCount("milan", "2", 3, 90, 0, 0, 3),
        RuleCount("milan", "10", 9, 900, 7, 2, 0),
        RuleCount("milan", "default", 0, 0, 0, 0, 0),
        RuleCount("rome", "0", 0, 0, 0, 0, 0),
        RuleCount("rome", "default", 100, 10_000, 100, 0, 0),
    ]


def test_what_an_agent_lists_is_read_as_what_nft_lists() -> None:
    counted = read_listing(listed())
    assert read_listing(listing(counted)) == counted


def test_rules_are_sorted_by_packets_and_those_that_none_met_are_named() -> None:
    assert top("-f", "-", "-o", "text", given=listed()).output.splitlines() == [
        "PEERING  RULE     PACKETS  BYTES  REQUESTS  REPLIES  NO CONNECTION",
        "rome     default      100  10000       100        0              0",
        "milan    10             9    900         7        2              0",
        "milan    2              3     90         0        0              3",
        "no packet met: milan: default",
        "no packet met: rome: 0",
    ]
    document = json.loads(top("-f", "-", given=listed()).output)
    assert [each["rule"] for each in document["rules"]] == ["default", "10", "2"]
    assert document["never"] == [{"peering": "milan", "rule": "default"}, {"peering": "rome", "rule": "0"}]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"nftables": 1}', '{"nftables": [{"counter": {"family": "ip", "table": "lce-a", "name": "b"}}]}'],
)
def test_what_is_no_list_of_counters_is_wrong_usage(text: str) -> None:
    found = top("-f", "-", given=text)
    assert isinstance(found.exception, click.UsageError)


def test_the_counters_of_an_agent_and_of_nft_are_the_same_and_a_terminal_is_refreshed(tmp_path: Path) -> None:
    chains = tmp_path / "chains.json"
    chains.write_text(objects(made(rules=2)), "utf-8")
    program = [sys.executable, "-m", "liqo_connectivity"]

    def scenario() -> tuple[str, str, str]:
        process = subprocess.Popen([*program, "agent", "--chains", str(chains)])
        try:
            asked = eventually(lambda: _output([*program, "top"]))
            counters = _output(["nft", "-j", "list", "counters"])
            listed = subprocess.run(
                [*program, "top", "-f", "-"], input=counters, capture_output=True, text=True, check=True
            )
            return asked, listed.stdout, _on_a_terminal([*program, "top", "--interval", "0.1"])
        finally:
            process.kill()
            process.wait()

    asked, listed, shown = in_own_namespace(scenario)
    assert asked == listed
    assert json.loads(asked) == {
        "rules": [],
        "never": [{"peering": "milan", "rule": "0"}, {"peering": "milan", "rule": "1"}],
    }
    assert shown.count("no packet met: milan: 0, 1") > 1


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _on_a_terminal(command: list[str]) -> str:
    """What a command shows on a terminal, until it has shown it twice."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = ""
    enough: Callable[[], bool] = lambda: shown.count("\x1b[2J") > 2
    while not enough():
        shown += os.read(ours, 4096).decode()
    process.kill()
    process.wait()
    os.close(ours)
    return shown
