"""What an agent wants is what the kernel has: after edits, restarts, crashes of the writer, and changes of others."""

import os
import select
import subprocess
from pathlib import Path

import pytest

from liqo_connectivity.chains import (
    agent_script,
    agent_update,
)
from liqo_connectivity.operator.agent.applying.keeper import Keeper, empty
from liqo_connectivity.operator.agent.kernel import conntrack
from liqo_connectivity.operator.agent.kernel.reader import Counted, Reader
from liqo_connectivity.operator.agent.kernel.writer import Writer
from tests.support.agent_tables import is_there, made, nft
from tests.support.own_namespace import in_own_namespace

KEY = "ip lce-milan"
FOREIGN = (
    "flush ruleset",
    f"flush chain {KEY} connection",
    f'insert rule {KEY} connection accept comment "r000-rule-0-000000000000"',
    f"insert rule {KEY} input accept",
    f"add element {KEY} group.vc_local.0 {{ 10.9.9.9 }}",
    f"delete element {KEY} group.vc_local.0 {{ 10.1.0.1 }}",
    f"delete table {KEY}",
    f"add chain {KEY} postrouting {{ policy drop; }}",
    f"add set {KEY} extra {{ type ipv4_addr; }}; add element {KEY} extra {{ 10.9.9.9 }}; add chain {KEY} mine",
    (
        f"flush chain {KEY} connection; flush chain {KEY} packet; delete set {KEY} group.vc_local.0; "
        f"add set {KEY} group.vc_local.0 {{ type ipv6_addr; }}"
    ),
    f"delete table {KEY}; add table {KEY}; add chain {KEY} packet",
)


@pytest.mark.parametrize("change", FOREIGN)
def test_a_change_of_another_is_seen_and_repaired(change: str) -> None:
    def scenario() -> tuple[bool, int, bool, bool, int]:
        keeper = Keeper(Writer())
        keeper.want([made()])
        keeper.repair()
        nft(change)
        changed = is_there(made())
        seen = bool(select.select([keeper], [], [], 10.0)[0])
        keeper.repair()
        repairs, right = keeper.repairs, is_there(made())
        keeper.repair()
        return changed, repairs, right, seen, keeper.repairs

    changed, repairs, right, seen, again = in_own_namespace(scenario)
    assert (changed, seen) == (False, True)
    assert (repairs, right) == (1, True)
    assert again == 1, "its own repair is no change of another"


def test_other_tables_are_left_alone_and_cost_nothing() -> None:
    def scenario() -> tuple[int, int, str]:
        keeper = Keeper(Writer())
        keeper.want([made()])
        nft("add table ip kube-proxy\nadd chain ip kube-proxy services")
        # It has our prefix, and is not ours.
        nft("add table ip lce-of-another")
        before = Reader().generation()
        keeper.repair()
        listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
        keeper.sweep(["milan"])
        Keeper(Writer()).want([made()])
        return keeper.repairs, Reader().generation() - before, listed

    repairs, changes, listed = in_own_namespace(scenario)
    assert (repairs, changes) == (0, 0)
    assert listed.split("\n")[:-1] == ["table ip lce-milan", "table ip kube-proxy", "table ip lce-of-another"]


def test_what_a_restart_finds_right_is_not_written_and_what_nobody_wants_goes() -> None:
    def scenario() -> tuple[int, int, list[tuple[str, ...]], bool, bool]:
        Keeper(Writer()).want([made(), made(peering="rome")])
        before = Reader().generation()
        again = Keeper(Writer())
        again.want([made(), made(peering="rome")])
        same = Reader().generation() - before
        again = Keeper(Writer())
        again.want([made(members=3)])
        gone = again.sweep(["milan"])
        return same, again.writes, [each[:2] for each in gone], is_there(made(members=3)), is_there(made())

    same, writes, gone, right, old = in_own_namespace(scenario)
    assert same == 0
    assert writes == 2
    assert gone == [("ip", "lce-rome")]
    assert (right, old) == (True, False)


def test_versions_follow_each_other_and_counters_go_on() -> None:
    def scenario() -> tuple[list[bool], dict[str, Counted]]:
        keeper = Keeper(Writer())
        versions = [made(), made(members=50), made(members=3, rules=3), made(members=0, rules=2), made(rules=1)]
        right: list[bool] = []
        for number, version in enumerate(versions):
            keeper.want([version])
            right.append(is_there(version))
            if not number:
                subprocess.run(["ip", "addr", "add", "10.1.0.1/32", "dev", "lo"], check=True)
                subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
                probe = "import socket; s = socket.socket(); s.settimeout(0.01); s.bind(('10.1.0.1', 0))\n"
                probe += "assert s.connect_ex(('192.0.2.1', 443))"
                subprocess.run(["python3", "-c", probe], check=True)
        return right, Reader().counters("ip", "lce-milan")

    right, counted = in_own_namespace(scenario)
    assert right == [True] * 5
    (original,) = [count.packets for name, count in counted.items() if name.endswith(".original")]
    assert original >= 1, "rule 0 says the same in every version"


def test_a_lost_transaction_is_made_good_and_never_goes_back() -> None:
    """Nobody knows whether it was applied, so the version before is no state to repair to."""

    def scenario() -> tuple[dict[str, str], bool, dict[str, str], int]:
        keeper = Keeper(Writer())
        keeper.want([made()])
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
            os.kill(int(child), 9)
        keeper.want([made(members=5)])
        lost = dict(keeper.failing)
        # As if it had been applied: the notice of it is not known as its own.
        nft(agent_script([made(members=5)]))
        before = Reader().generation()
        keeper.repair()
        return lost, is_there(made(members=5)), keeper.failing, Reader().generation() - before

    lost, right, failing, changes = in_own_namespace(scenario)
    assert "exit status -9" in lost["milan"]
    assert (right, failing, changes) == (True, {}, 0)


def test_a_refused_version_leaves_the_last_one_which_is_repaired_to() -> None:
    class Refusing(Writer):
        def apply(self, script: str) -> str:
            # A rule that no kernel takes: the whole script is refused.
            return super().apply(script + ("add rule ip lce-milan absent drop\n" if "10.1.0.5" in script else ""))

    def scenario() -> tuple[dict[str, str], bool, bool, dict[str, str], dict[str, str], bool]:
        keeper = Keeper(Refusing())
        keeper.want([made(), made(peering="rome")])
        keeper.want([made(members=5), made(3, peering="rome")])
        refused, first = dict(keeper.failing), is_there(made(), made(3, peering="rome"))
        nft("flush ruleset")
        keeper.repair()
        repaired = is_there(made(), made(3, peering="rome"))
        still = dict(keeper.failing)
        keeper.want([made(members=4)])
        return refused, first, repaired, still, keeper.failing, is_there(made(4), made(3, peering="rome"))

    refused, first, repaired, still, after, last = in_own_namespace(scenario)
    assert "No such file or directory" in refused["milan"]
    assert (first, repaired, last) == (True, True, True)
    assert (list(refused), list(still), list(after)) == (["milan"], ["milan"], [])


def test_a_table_of_another_with_our_name_stays_and_is_said() -> None:
    def scenario() -> tuple[dict[str, str], str, dict[str, str], bool]:
        nft("add table ip lce-milan")
        keeper = Keeper(Writer())
        keeper.want([made()])
        said = dict(keeper.failing)
        listed = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
        nft("delete table ip lce-milan")
        keeper.retry()
        return said, listed, keeper.failing, is_there(made())

    said, listed, failing, right = in_own_namespace(scenario)
    assert "there is a table ip lce-milan without the comment 'liqo-connectivity-engine'" in said["milan"]
    assert listed == "table ip lce-milan {\n}\n"
    assert (failing, right) == ({}, True)


def test_a_large_first_load_has_no_rule_before_its_sets_are_whole() -> None:
    """More than a socket takes at once; and what a killed load leaves is finished by the next."""
    large = made(20_000)

    def scenario() -> tuple[int, bool, bool, list[str]]:
        keeper = Keeper(Writer())
        keeper.want([large])
        first, writes = is_there(large), keeper.writes
        nft("flush ruleset")
        keeper.repair()
        repaired = is_there(large)
        nft("flush ruleset")
        parts = agent_update(empty(large, "ip"), large)[:-1]
        for part in parts[:3]:
            nft(part)
        again = Keeper(Writer())
        again.want([large])
        return writes, first and is_there(large), repaired, [text for text in parts if "chain" in text]

    writes, first, repaired, rules = in_own_namespace(scenario)
    assert writes > 5
    assert (first, repaired, rules) == (True, True, [])


def test_ports_of_sctp_need_a_kernel_that_tracks_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they read as 0, and a denied port would be open."""

    def scenario() -> tuple[dict[str, str], str, dict[str, str]]:
        keeper = Keeper(Writer())
        keeper.want([made(protocol="sctp")])
        here = dict(keeper.failing)
        keeper.want([made()])
        monkeypatch.setattr(conntrack, "SETTINGS", tmp_path)
        keeper.want([made(protocol="sctp")])
        return here, keeper.failing["milan"], {} if is_there(made()) else {"milan": "changed"}

    (tmp_path / "nf_conntrack_max").touch()
    here, said, last = in_own_namespace(scenario)
    assert (here, last) == ({}, {})
    assert "does not track SCTP" in said
