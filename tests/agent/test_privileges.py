"""What an agent needs: uid 0 with CAP_NET_ADMIN alone, a root file system that nobody can write, and one folder of the host."""

import subprocess
import sys
from pathlib import Path

from liqo_connectivity.operator.agent.desired.saved import NAME
from tests.support.agent_tables import is_there, made, nft, objects
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

CONFINED = (
    "mount --bind $1 $1 && mount -o remount,bind,ro / && ! touch $2 2>/dev/null && shift 2 && "
    "exec setpriv --bounding-set -all,+net_admin --inh-caps -all --no-new-privs $@"
)
NET_ADMIN = 1 << 12


def test_one_capability_a_read_only_root_and_one_folder_are_enough(tmp_path: Path) -> None:
    chains, saved = tmp_path / "chains.json", tmp_path / "saved"
    chains.write_text(objects(made()), "utf-8")
    saved.mkdir(mode=0o700)
    agent = [sys.executable, "-m", "liqo_connectivity", "agent", "--chains", str(chains), "--state", str(saved)]

    def scenario() -> tuple[dict[str, str], bool]:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", CONFINED, "sh", str(saved), str(tmp_path / "other"), *agent]
        )
        try:
            eventually(lambda: is_there(made()))
            nft("flush ruleset")
            eventually(lambda: is_there(made()))
            for pid in (process.pid, *_children(process.pid)):
                status = dict(
                    line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
                )
                assert status["Uid"].split()[0] == "0"
                assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {NET_ADMIN}
            process.terminate()
            return {"code": str(process.wait(30)), "saved": str((saved / NAME).exists())}, is_there(made())
        finally:
            process.kill()
            process.wait()

    assert in_own_namespace(scenario) == ({"code": "0", "saved": "True"}, True)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
