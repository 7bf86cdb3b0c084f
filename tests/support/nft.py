"""The kernel's own answer: rulesets loaded with nft in a throw-away user and network namespace, and packets sent there.

Needs no root. It must not know what a ruleset is expected to do. A machine without nft or without user namespaces
fails these tests: skipped, they would look like passed ones.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from tests.support.chain_verdict import Packet, Verdict

Listing: TypeAlias = list[dict[str, Any]]

# Any address of these prefixes is local, so that one process can send from and to every address under test. A packet
# that is dropped at postrouting makes sendto fail with EPERM: that is the verdict, and no time-out decides anything.
_SENDER = """
import json, socket, subprocess, sys

script, flows = json.load(sys.stdin)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for prefix in ("10.0.0.0/8", "172.16.0.0/12", "192.0.0.0/8"):
    subprocess.run(["ip", "route", "add", "local", prefix, "dev", "lo"], check=True)
subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)

def verdict(source, sport, destination, dport):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, sport))
        try:
            sender.sendto(b"probe", (destination, dport))
        except PermissionError:
            return "drop"
        return "accept"

answers = []
for number, (source, destination) in enumerate(flows):
    there, back = 20000 + number, 40000 + number
    first = verdict(source, there, destination, back)
    answers.append([first, verdict(destination, back, source, there) if first == "accept" else None])
json.dump(answers, sys.stdout)
"""


class NftError(AssertionError):
    """nft refused a ruleset, or could not be run."""


def load_script(*scripts: str) -> Listing:
    """What ``nft -j list ruleset`` shows after the scripts were loaded one after the other."""
    return load(*(("-f", script) for script in scripts))


def load_transaction(*transactions: str) -> Listing:
    """What ``nft -j list ruleset`` shows after the JSON transactions were loaded one after the other."""
    return load(*(("-jf", transaction) for transaction in transactions))


def listed_twice(script: str) -> tuple[Listing, Listing]:
    """What nft lists after a script was loaded, and after what it then printed was loaded in the place of that."""
    with TemporaryDirectory() as folder:
        Path(folder, "given").write_text(script, encoding="utf-8")
        shell = "cd $1; nft -f given && nft list ruleset > printed && nft -j list ruleset > 1 && nft flush ruleset && "
        _isolated(["sh", "-c", f"{shell} nft -f printed && nft -j list ruleset > 2", "sh", folder])
        first, second = (json.loads(Path(folder, name).read_text("utf-8"))["nftables"] for name in ("1", "2"))
        return first, second


def send(script: str, flows: Sequence[tuple[str, str]]) -> list[tuple[str, str | None]]:
    """The verdicts on one UDP packet from each source to each destination and, if it passed, on the reply to it."""
    answers = json.loads(_isolated([sys.executable, "-c", _SENDER], json.dumps([script, list(flows)])))
    return [(first, reply) for first, reply in answers]


def send_first(script: str, packets: Sequence[Packet]) -> list[Verdict]:
    """The verdicts on packets of any protocol and family, each the first of its connection, whatever its ``state`` says."""
    asked = [(each.source, each.destination, each.protocol, each.port, each.icmp6) for each in packets]
    program = str(Path(__file__).with_name("raw_packets.py"))
    answers = json.loads(_isolated([sys.executable, program], json.dumps({"script": script, "packets": asked})))
    return ["accept" if passed else "drop" for passed in answers]


def objects(listing: Listing, kind: str) -> Listing:
    """The listed objects of one kind: table, set, chain or rule."""
    return [entry[kind] for entry in listing if kind in entry]


def load(*texts: tuple[str, str]) -> Listing:
    """What ``nft -j list ruleset`` shows after texts were loaded one after the other, each with the options of nft for it."""
    with TemporaryDirectory() as folder:
        arguments: list[str] = []
        for number, (option, text) in enumerate(texts):
            file = Path(folder, str(number))
            file.write_text(text, encoding="utf-8")
            arguments += [option, str(file)]
        shell = 'while [ $# -gt 0 ]; do nft "$1" "$2" || exit; shift 2; done; nft -j list ruleset'
        listing: Listing = json.loads(_isolated(["sh", "-c", shell, "sh", *arguments]))["nftables"]
    return listing


def _isolated(command: Sequence[str], text: str = "") -> str:
    for tool in ("nft", "unshare", "ip"):
        if shutil.which(tool) is None:
            raise NftError(f"{tool} is not installed; these tests need it (Debian: nftables, util-linux, iproute2)")
    run = subprocess.run(["unshare", "-rn", *command], input=text, text=True, capture_output=True, check=False)
    if run.returncode != 0:
        raise NftError(f"in a user and network namespace: exit status {run.returncode}\n{run.stderr}")
    return run.stdout
