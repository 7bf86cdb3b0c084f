"""What an agent wants is what the kernel has: after edits, restarts, crashes of the writer, and changes of others."""

import os
import select
import subprocess
from pathlib import Path

import pytest

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    AgentTable,
    Layout,
    assemble_agent,
    differences,
    view_listing,
    view_table,
)
from liqo_connectivity.operator.agent.applying.keeper import Keeper
from liqo_connectivity.operator.agent.kernel.reader import Counted, Reader
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer
from tests.support.chain_layouts import relations
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
    f"delete table {KEY}; add table {KEY}; add chain {KEY} packet",
)


def made(members: int = 2, *, rules: int = 1, peering: str = "milan") -> AgentTable:
    """Chains with some members, and with rules that each name a port more."""
    found = relations(
        base_chain=[(peering, f"liqo-tenant-{peering}", "p")],
        chain_rule=[(peering, at, "rule", at, "drop") for at in range(rules)],
        chain_port=[(peering, at, "tcp", port, port) for at in range(rules) for port in (80 + at, 443)],
        chain_set=[(peering, at, "source", "group", "vc-local") for at in range(rules)],
        chain_any=[(peering, at, "destination") for at in range(rules)],
        chain_element=[(peering, "group", "vc-local", f"10.1.0.{number + 1}") for number in range(members)],
    )
    four, _ = assemble_agent(Layout.from_relations(found))
    return four


def is_there(*tables: AgentTable) -> bool:
    """Whether the kernel has these tables of ours, and no others."""
    listed = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    found = view_listing(listed, AGENT_PREFIX)
    wanted = {view.key: view for view in map(view_table, tables)}
    return found.keys() == wanted.keys() and not any(differences(wanted[key], found[key]) for key in wanted)


def nft(script: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=script.replace("; add", "\nadd") + "\n", text=True, check=True)


@pytest.mark.parametrize("change", FOREIGN)
def test_a_change_of_another_is_seen_and_repaired(change: str) -> None:
    def scenario() -> tuple[bool, int, bool, bool, int]:
        keeper = Keeper(Writer())
        keeper.adopt([made()])
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
        keeper.adopt([made()])
        nft("add table ip kube-proxy\nadd chain ip kube-proxy services")
        # It has our prefix, and is not ours.
        nft("add table ip lce-of-another")
        before = Reader().generation()
        keeper.repair()
        listed = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
        Keeper(Writer()).adopt([made()])
        return keeper.repairs, Reader().generation() - before, listed

    repairs, changes, listed = in_own_namespace(scenario)
    assert (repairs, changes) == (0, 0)
    assert listed.split("\n")[:-1] == ["table ip lce-milan", "table ip kube-proxy", "table ip lce-of-another"]


def test_what_a_restart_finds_right_is_not_written_and_what_nobody_wants_goes() -> None:
    def scenario() -> tuple[int, int, bool, bool]:
        Keeper(Writer()).adopt([made(), made(peering="rome")])
        before = Reader().generation()
        again = Keeper(Writer())
        again.adopt([made(), made(peering="rome")])
        same = Reader().generation() - before
        again = Keeper(Writer())
        again.adopt([made(members=3)])
        return same, again.writes, is_there(made(members=3)), is_there(made())

    same, writes, right, old = in_own_namespace(scenario)
    assert same == 0
    assert writes == 2
    assert (right, old) == (True, False)


def test_versions_follow_each_other_and_counters_go_on() -> None:
    def scenario() -> tuple[list[bool], dict[str, Counted]]:
        keeper = Keeper(Writer())
        keeper.adopt([])
        versions = [made(), made(members=50), made(members=3, rules=3), made(members=0, rules=2), made(rules=1)]
        right: list[bool] = []
        for number, version in enumerate(versions):
            keeper.put(version)
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


def test_a_lost_transaction_is_made_good() -> None:
    def scenario() -> tuple[str, bool, bool]:
        writer = Writer()
        keeper = Keeper(writer)
        keeper.adopt([made()])
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split():
            os.kill(int(child), 9)
        try:
            keeper.put(made(members=5))
            lost = ""
        except LostError as error:
            lost = str(error)
        before = is_there(made())
        keeper.put(made(members=5))
        return lost, before, is_there(made(members=5))

    lost, before, after = in_own_namespace(scenario)
    assert "exit status -9" in lost
    assert (before, after) == (True, True)
