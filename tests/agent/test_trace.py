"""``trace``: packets as JSON lines, with their rule, and a table that changes nothing and goes with the command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liqo_connectivity.operator.agent.applying.keeper import Keeper
from liqo_connectivity.operator.agent.kernel.writer import Writer
from liqo_connectivity.operator.agent.telling.packets import Ends, ends_of
from tests.support.agent_tables import is_there, made, objects
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

PROGRAM = (sys.executable, "-m", "liqo_connectivity", "trace")
POD = "{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-0}, status: {podIP: 10.1.0.1}}"
SEND = """
import socket
for source in ("10.1.0.1", "10.9.0.2"):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((source, 0))
    for _ in range(200):
        try:
            sender.sendto(b"probe", ("10.9.0.1", 443))
        except PermissionError:
            continue
"""


def _tables() -> list[str]:
    return subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("ended", ["seconds", "killed"])
def test_packets_are_named_by_rule_and_pod_and_the_table_goes(ended: str, tmp_path: Path) -> None:
    chains, pods = tmp_path / "chains.json", tmp_path / "pods.yaml"
    table = made(2, protocol="udp")
    chains.write_text(objects(table), "utf-8")
    pods.write_text(POD, "utf-8")
    way = ["--seconds", "3"] if ended == "seconds" else ["--follow"]

    def scenario() -> tuple[list[str], int, list[str], bool]:
        for address in ("10.1.0.1", "10.9.0.1", "10.9.0.2"):
            subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        keeper = Keeper(Writer())
        keeper.want([table])
        with (tmp_path / "shown").open("w") as shown:
            trace = subprocess.Popen(
                [*PROGRAM, "--chains", str(chains), "--denied", "-f", str(pods), *way], stdout=shown
            )
            eventually(lambda: "table ip lct-milan" in _tables())
            subprocess.run([sys.executable, "-c", SEND], check=True)
            if ended == "killed":
                eventually(lambda: (tmp_path / "shown").stat().st_size)
                trace.kill()
            code = trace.wait(30)
        eventually(lambda: _tables() == ["table ip lce-milan"])
        keeper.repair()
        return (
            (tmp_path / "shown").read_text("utf-8").splitlines(),
            code,
            _tables(),
            is_there(table) and not keeper.repairs,
        )

    lines, code, tables, same = in_own_namespace(scenario)
    assert (code, tables, same) == (0 if ended == "seconds" else -9, ["table ip lce-milan"], True)
    # The kernel hands over no more than its limit, of 200 that were dropped.
    assert 1 <= len(lines) <= 60
    found = json.loads(lines[0])
    assert {
        name: found[name] for name in ("peering", "rule", "verdict", "protocol", "destinationPort", "sourcePod")
    } == {
        "peering": "milan",
        "rule": "0",
        "verdict": "drop",
        "protocol": "udp",
        "destinationPort": 443,
        "sourcePod": "shop/web-0",
    }
    assert {json.loads(line)["source"] for line in lines} == {"10.1.0.1"}


V6 = bytes.fromhex("60000000000011400a000000000000000000000000000001" + "0b" + "00" * 14 + "02")


@pytest.mark.parametrize(
    ("packet", "ends"),
    [
        (b"", None),
        (b"\x45" + bytes(10), None),
        (
            bytes.fromhex("4500000000000000400600000a0100010a0900011f9001bb"),
            Ends("10.1.0.1", "10.9.0.1", "tcp", 8080, 443),
        ),
        (bytes.fromhex("4500000000000001400600000a0100010a0900011f9001bb"), Ends("10.1.0.1", "10.9.0.1", "tcp")),
        (bytes.fromhex("4500000000000000400100000a0100010a0900011f9001bb"), Ends("10.1.0.1", "10.9.0.1", "icmp")),
        (V6 + bytes.fromhex("003501bb"), Ends("a00::1", "b00::2", "udp", 53, 443)),
        (V6[:6] + b"\x2c" + V6[7:] + bytes.fromhex("1100000900000000003501bb"), Ends("a00::1", "b00::2", "udp")),
        (
            V6[:6] + b"\x3c" + V6[7:] + bytes.fromhex("1100000000000000003501bb"),
            Ends("a00::1", "b00::2", "udp", 53, 443),
        ),
    ],
)
def test_ends_of_packets(packet: bytes, ends: Ends | None) -> None:
    assert ends_of(packet) == ends
