"""A default deny on a real node: it cuts the scope and nothing else, and neither neighbours nor the path MTU get lost.

The layout is that of a policy with ``defaultAction: deny``, and one more rule, for the packets by which the tests tell that
what they sent before was dropped.
"""

import json
import shutil
import subprocess
import sys
from itertools import product
from typing import TypeAlias

import pytest

from liqo_connectivity.chains import Layout, assemble, assemble_nft, nft_script
from tests.support.chain_layouts import Relations, relations
from tests.support.chain_verdict import Packet, layout_verdict
from tests.support.checkout import ROOT

Probe: TypeAlias = tuple[str, str, int, int]
"""From, to, family, port."""

HOSTS = {"pod": 1500, "remote": 1400, "other": 1500, "server": 1400}
"""Each with its MTU. Of the scope are the first two."""
ADDRESSES = {name: {4: f"10.{number}.0.2", 6: f"fd00:{number}::2"} for number, name in enumerate(HOSTS, 1)}
NODE = {name: {4: f"10.{number}.0.1", 6: f"fd00:{number}::1"} for number, name in enumerate(HOSTS, 1)}
"""The address with which the node sends to each."""
PORT, FENCE = 5000, 5001
NEIGHBOURS = ("nd-neighbor-solicit", "nd-neighbor-advert", "packet-too-big")


def default_deny(families: tuple[int, ...] = (4, 6), neighbours: bool = True) -> Relations:
    """The pod may speak to the remote pod, at one port."""
    made = relations(
        base_chain=[("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy")],
        chain_rule=[
            ("milan", 0, "established", 0, "accept"),
            ("milan", 1, "rule", 0, "accept"),
            ("milan", 3, "rule", 1, "accept"),
            ("milan", 5, "default", 0, "drop"),
            ("milan", 6, "default", 0, "drop"),
        ],
        chain_state=[("milan", 0, "established"), ("milan", 0, "related")],
        chain_port=[("milan", 1, "udp", FENCE, FENCE), ("milan", 3, "udp", PORT, PORT)],
        chain_any=[
            ("milan", 1, "source"),
            ("milan", 1, "destination"),
            ("milan", 5, "destination"),
            ("milan", 6, "source"),
        ],
        chain_set=[
            ("milan", 3, "source", "group", "vc-local"),
            ("milan", 3, "destination", "group", "vc-remote"),
            ("milan", 5, "source", "scope", "members"),
            ("milan", 6, "destination", "scope", "members"),
        ],
        chain_element=[
            ("milan", *party, ADDRESSES[host][family])
            for host, party in (
                ("pod", ("group", "vc-local")),
                ("remote", ("group", "vc-remote")),
                ("pod", ("scope", "members")),
                ("remote", ("scope", "members")),
            )
            for family in families
        ],
    )
    if neighbours:
        made["chain_rule"].add(("milan", -1, "neighbours", 0, "accept"))
        made["chain_icmp6"] |= {("milan", -1, name) for name in NEIGHBOURS}
    return made


def sent(script: str, probes: list[Probe], large: list[tuple[str, str, int]]) -> tuple[list[str], list[int]]:
    """What became of the probes on a node with a ruleset, and the path MTU that senders of large packets know."""
    for tool in ("nft", "ip", "unshare"):
        assert shutil.which(tool), f"{tool} is not installed: these tests load what we render"
    given = json.dumps({"script": script, "hosts": HOSTS, "probes": probes, "large": large})
    command = ["unshare", "-rn", sys.executable, "-m", "tests.support.node_links"]
    run = subprocess.run(command, input=given, text=True, capture_output=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    said, mtus = json.loads(run.stdout)
    return said, mtus


def probes_of(families: tuple[int, ...]) -> list[Probe]:
    """From everywhere to everywhere but the own address."""
    names = ("node", *HOSTS)
    return [(start, end, family, PORT) for start, end, family in product(names, HOSTS, families) if start != end]


def expected(made: Relations, probe: Probe) -> str:
    start, end, family, port = probe
    source = NODE[end][family] if start == "node" else ADDRESSES[start][family]
    packet = Packet(source, ADDRESSES[end][family], "new", "udp", port)
    return {"accept": "passed", "drop": "dropped"}[layout_verdict(made, packet)]


@pytest.mark.parametrize("encoding", ["nft", "liqo"])
def test_a_default_deny_cuts_the_scope_and_nothing_else(encoding: str) -> None:
    families = (4, 6) if encoding == "nft" else (4,)
    made = default_deny(families, neighbours=encoding == "nft")
    layout = Layout.from_relations(made)
    tables = assemble_nft(layout) if encoding == "nft" else assemble(layout)
    probes = probes_of(families)
    large = [(start, end, family) for start, end in (("pod", "remote"), ("other", "server")) for family in families]
    said, mtus = sent(nft_script(tables), probes, large)
    assert dict(zip(probes, said, strict=True)) == {probe: expected(made, probe) for probe in probes}
    passed = {probe[:2] for probe, what in zip(probes, said, strict=True) if what == "passed"}
    # The pod may, and what the peering does not own: the node, two hosts outside the scope.
    assert passed == {
        ("pod", "remote"),
        ("other", "server"),
        ("server", "other"),
        ("node", "other"),
        ("node", "server"),
    }
    assert mtus == [1400] * len(large)


def test_without_the_rule_for_neighbours_a_default_deny_would_cut_ipv6_off() -> None:
    probes: list[Probe] = [("pod", "remote", family, PORT) for family in (4, 6)]
    script = nft_script(assemble_nft(Layout.from_relations(default_deny(neighbours=False))))
    assert sent(script, probes, [])[0] == ["passed", "unreachable"]
