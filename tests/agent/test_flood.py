"""A flood of packets while chains change, others meddle, and the agent is killed: none that is denied passes, none else is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.support.agent_on_file import replace
from tests.support.agent_tables import is_there, made, nft, objects
from tests.support.own_namespace import in_own_namespace
from tests.support.seeds import groups
from tests.support.waiting import eventually, pause

AGENT = (sys.executable, "-m", "liqo_connectivity", "agent", "--address", "", "--log-level", "error")
EDITS = 12
SENDER = """
import json, os, socket, sys
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("10.9.0.1", 443))
receiver.settimeout(5.0)
senders = []
for source in ("10.1.0.1", "10.9.0.2"):
    senders.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    senders[-1].bind((source, 0))
sent = passed = lost = 0
print("begun", flush=True)
while not os.path.exists(sys.argv[1]):
    sent += 1
    for sender in senders:
        try:
            sender.sendto(b"%d" % sent, ("10.9.0.1", 443))
        except PermissionError:
            lost += sender is senders[1]
    try:
        while receiver.recvfrom(99)[1][0] == "10.1.0.1":
            passed += 1
    except TimeoutError:
        lost += 1
print(json.dumps([sent, passed, lost]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", groups(0, 12, 1))
def test_nothing_that_is_denied_passes_and_nothing_else_is_lost(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    chains, stop = tmp_path / "chains.json", tmp_path / "stop"
    first = made(2, protocol="udp")
    chains.write_text(objects(first), "utf-8")

    def scenario() -> list[int]:
        for address in ("10.1.0.1", "10.9.0.1", "10.9.0.2"):
            subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        agent = subprocess.Popen([*AGENT, "--chains", str(chains)])
        sender: subprocess.Popen[str] | None = None
        try:
            eventually(lambda: is_there(first))
            sender = subprocess.Popen([sys.executable, "-c", SENDER, str(stop)], stdout=subprocess.PIPE, text=True)
            assert sender.stdout is not None
            sender.stdout.readline()
            table = first
            for _ in range(EDITS):
                table = made(rng.choice([1, 2, 50, 300, 5_000]), rules=rng.randint(1, 4), protocol="udp")
                replace(chains, objects(table))
                pause(rng.random() * 0.5)
                match rng.randrange(4):
                    case 0:
                        agent.kill()
                        agent.wait()
                        agent = subprocess.Popen([*AGENT, "--chains", str(chains)])
                    case 1:
                        for child in Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text("ascii").split():
                            os.kill(int(child), signal.SIGKILL)
                    case 2:
                        nft("add element ip lce-milan group.vc_local.0 { 10.8.0.1 }")
                    case _:
                        pass
            eventually(lambda: is_there(table))
            stop.touch()
            found: list[int] = json.loads(sender.communicate(timeout=60)[0])
            return found
        finally:
            for process in (agent, sender):
                if process is not None:
                    process.kill()
                    process.wait()

    sent, passed, lost = in_own_namespace(scenario)
    assert sent > 1_000
    assert (passed, lost) == (0, 0)
