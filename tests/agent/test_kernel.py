"""Writing to the kernel and reading it: whole transactions, crashes, changes of others, counters and logged packets."""

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from liqo_connectivity.operator.agent.kernel.library import LibraryError, RefusedError
from liqo_connectivity.operator.agent.kernel.notices import Change, Notices
from liqo_connectivity.operator.agent.kernel.packet_log import LoggedPacket, PacketLog
from liqo_connectivity.operator.agent.kernel.reader import Counted, HeldTable, Reader
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

TABLE = """
table ip lce-milan {
	comment "liqo-connectivity-engine"
	counter rule-0-0a1b2c3d.original {
	}
	counter rule-0-0a1b2c3d.packet {
	}
	set group.vc_local.0 {
		type ipv4_addr
		elements = { 10.0.0.1 }
	}
	chain output {
		type filter hook output priority 0; policy accept;
		udp dport 4000 counter name "rule-0-0a1b2c3d.original" limit rate 100/second burst 100 packets log prefix "milan r000" group 5 snaplen 64
		udp dport 4000 drop
	}
}
"""
FOREIGN = "add table ip kube-proxy\nadd chain ip kube-proxy services\nadd rule ip kube-proxy services accept\n"


def elements() -> str:
    """What nft lists of the set of the table."""
    return subprocess.run(
        ["nft", "list", "set", "ip", "lce-milan", "group.vc_local.0"], check=True, capture_output=True, text=True
    ).stdout


def send(port: int, count: int = 1) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            try:
                sender.sendto(b"probe", ("127.0.0.1", port))
            except PermissionError:
                continue


def changes(notices: Notices, generation: int) -> list[Change]:
    """The changes up to a generation."""
    found: list[Change] = []
    while not found or found[-1].generation != generation:
        assert select.select([notices], [], [], 10.0)[0], found
        found += notices.waiting()
    return found


# ---- Writing ----


def test_a_script_is_one_transaction_and_a_refused_one_changes_nothing() -> None:
    def scenario() -> tuple[int, str, int, int, str, int]:
        writer, reader = Writer(), Reader()
        writer.apply(TABLE)
        first = reader.generation()
        with pytest.raises(RefusedError) as refused:
            writer.apply("add element ip lce-milan group.vc_local.0 { 10.0.0.2 }\nadd rule ip lce-milan absent drop\n")
        held, second = elements(), reader.generation()
        writer.apply("add element ip lce-milan group.vc_local.0 { 10.0.0.3 }\n")
        third = reader.generation()
        writer.close()
        return first, str(refused.value), second, third, held, writer.starts

    first, words, second, third, held, starts = in_own_namespace(scenario)
    assert "No such file or directory" in words
    assert (second, third) == (first, first + 1)
    assert "10.0.0.2" not in held
    assert starts == 1


def test_a_child_that_is_killed_is_a_failed_transaction_and_the_next_one_works() -> None:
    def scenario() -> tuple[str, int, str]:
        writer = Writer()
        writer.apply(TABLE)
        os.kill(children()[0], 9)
        try:
            writer.apply("add element ip lce-milan group.vc_local.0 { 10.0.0.2 }\n")
            lost = ""
        except LostError as error:
            lost = str(error)
        writer.apply("add element ip lce-milan group.vc_local.0 { 10.0.0.3 }\n")
        held = elements()
        writer.close()
        return lost, writer.starts, held

    lost, starts, held = in_own_namespace(scenario)
    assert "exit status -9" in lost
    assert starts == 2
    assert "10.0.0.3" in held


def children() -> list[int]:
    """The processes that this one started."""
    return [int(one) for one in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()]


def test_a_kill_at_any_moment_leaves_a_whole_state() -> None:
    """Each script empties the set and the chain, and fills both: elements and rules are of one script."""

    def scenario() -> list[tuple[int, int]]:
        writer = Writer()
        writer.apply("table ip t {\n set s { type ipv4_addr; }\n chain c { }\n}\n")
        found: list[tuple[int, int]] = []
        for number in range(24):
            size = 500 * (number % 4 + 1)
            addresses = ", ".join(f"10.{number % 4}.{each >> 8}.{each & 255}" for each in range(size))
            rules = "".join(f"add rule ip t c ip saddr 10.0.0.{each} drop\n" for each in range(size // 100))
            script = f"flush set ip t s\nflush chain ip t c\nadd element ip t s {{ {addresses} }}\n{rules}"
            if not children():
                writer.apply("list tables\n")
            (child,) = children()
            killer = subprocess.Popen(["sh", "-c", f"sleep 0.{number:03}; kill -9 {child}"])
            try:
                writer.apply(script)
            except LostError:
                writer.close()
            killer.wait()
            listed = subprocess.run(["nft", "list", "table", "ip", "t"], check=True, capture_output=True, text=True)
            found.append((listed.stdout.count("10.") - listed.stdout.count("saddr"), listed.stdout.count("saddr")))
        writer.close()
        return found

    for held, rules in in_own_namespace(scenario):
        assert held == rules * 100


def test_the_child_ends_with_its_parent() -> None:
    """A script of a child that lives on would come after those of the next agent."""
    program = "import os, sys, time; from liqo_connectivity.operator.agent.kernel.writer import Writer; w = Writer()\n"
    program += "w.apply('list tables\\n'); print(w._child.pid, flush=True); time.sleep(60)"

    def scenario() -> int:
        parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        return child

    child = in_own_namespace(scenario)
    eventually(lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes())


def test_a_child_that_does_not_answer_is_ended() -> None:
    writer = Writer((sys.executable, "-c", "import time; time.sleep(60)"), seconds=0.2)
    before = time.monotonic()
    with pytest.raises(LostError, match=r"gave no answer in 0\.2 seconds"):
        writer.apply("list tables\n")
    assert time.monotonic() - before < 30
    assert not children()


def test_a_library_that_is_missing_is_named() -> None:
    program = "import liqo_connectivity.operator.agent.kernel.library as l; l.NAME = 'libabsent.so.1'\n"
    program += "import sys; from liqo_connectivity.operator.agent.kernel.writer_process import serve\n"
    program += "serve(sys.stdin.buffer, sys.stdout.buffer)"
    with pytest.raises(LibraryError, match=r"libabsent\.so\.1: .*libnftables1 of Debian"):
        Writer((sys.executable, "-c", program)).apply("list tables\n")


# ---- Reading ----


def test_tables_are_known_by_name_and_comment() -> None:
    def scenario() -> list[HeldTable]:
        writer, reader = Writer(), Reader()
        writer.apply(TABLE + FOREIGN + "add table inet other\nadd table bridge seldom\n")
        found = reader.tables()
        writer.close()
        return found

    assert in_own_namespace(scenario) == [
        ("inet", "other", ""),
        ("ip", "kube-proxy", ""),
        ("ip", "lce-milan", "liqo-connectivity-engine"),
    ]


def test_counters_are_read_without_the_sets() -> None:
    def scenario() -> tuple[dict[str, Counted], dict[str, Counted]]:
        writer, reader = Writer(), Reader()
        writer.apply(TABLE)
        send(4000, 3)
        found = reader.counters("ip", "lce-milan"), reader.counters("ip", "absent")
        writer.close()
        return found

    counted, absent = in_own_namespace(scenario)
    # A packet of 5 bytes of data has 28 of headers.
    assert counted == {"rule-0-0a1b2c3d.original": (3, 99), "rule-0-0a1b2c3d.packet": (0, 0)}
    assert absent == {}


def test_changes_of_others_name_their_tables_and_process() -> None:
    def scenario() -> list[Change]:
        writer, reader = Writer(), Reader()
        writer.apply(TABLE)
        notices = Notices()
        subprocess.run(["nft", "-f", "-"], input=FOREIGN, text=True, check=True)
        subprocess.run(["nft", "add", "element", "ip", "lce-milan", "group.vc_local.0", "{ 10.9.9.9 }"], check=True)
        subprocess.run(["nft", "delete", "table", "ip", "lce-milan"], check=True)
        found = changes(notices, reader.generation())
        writer.close()
        return found

    first, second, third = in_own_namespace(scenario)
    assert [first.tables, second.tables, third.tables] == [
        {("ip", "kube-proxy")},
        {("ip", "lce-milan")},
        {("ip", "lce-milan")},
    ]
    assert {each.process for each in (first, second, third)} == {"nft"}
    assert [first.generation + 1, second.generation + 1] == [second.generation, third.generation]
    assert all(each.is_whole for each in (first, second, third))


def test_lost_notices_are_known() -> None:
    def scenario() -> list[Change]:
        writer, reader, notices = Writer(), Reader(), Notices()
        writer.apply("table ip t {\n set s { type ipv4_addr; }\n}\n")
        for number in range(40):
            # At once these are more than a process without real privileges may send.
            many = ", ".join(f"10.{number}.{each >> 8}.{each & 255}" for each in range(4_000))
            writer.apply(f"add element ip t s {{ {many} }}\n")
        found = list(notices.waiting())
        writer.apply("add table ip last\n")
        found += changes(notices, reader.generation())
        writer.apply("add table ip more\n")
        found += changes(notices, reader.generation())
        writer.close()
        return found

    *before, last, more = in_own_namespace(scenario)
    assert len(before) < 41, "the kernel had room for all, so this test shows nothing"
    assert not last.is_whole or not all(each.is_whole for each in before), "that some were lost is known"
    assert more.is_whole, "what follows is whole again"


def test_logged_packets_have_the_prefix_of_their_rule() -> None:
    def scenario() -> tuple[list[LoggedPacket], str]:
        writer = Writer()
        writer.apply(TABLE)
        log = PacketLog(5)
        send(4001)
        send(4000, 2)
        found: list[LoggedPacket] = []
        while len(found) < 2:
            assert select.select([log], [], [], 10.0)[0], found
            found += log.waiting()
        try:
            PacketLog(5)
            refused = ""
        except OSError as error:
            refused = str(error)
        log.close()
        writer.close()
        return found, refused

    found, refused = in_own_namespace(scenario)
    assert [one.prefix for one in found] == ["milan r000"] * 2
    assert all(one.packet[16:20] == bytes((127, 0, 0, 1)) and one.packet[22:24] == b"\x0f\xa0" for one in found)
    assert "does not give the packets of group 5" in refused
