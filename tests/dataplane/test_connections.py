"""Chains in the form of an agent, in a real kernel: what becomes of connections that live when the policy changes."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from liqo_connectivity.chains import Layout, agent_script, assemble_agent
from tests.dataplane.connections import NODE, PODS, REMOTE, SERVICE, SERVICE_PORT, UNTRACKED
from tests.dataplane.frames import packed
from tests.support.chain_layouts import relations
from tests.support.checkout import ROOT

REMOTES = ("10.71.0.0/16", "fd00:71::/48")
Step = dict[str, Any]
families = pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
paths = pytest.mark.parametrize("service", [False, True], ids=["direct", "service"])
protocols = pytest.mark.parametrize("protocol", ["tcp", "udp"])


def script(*, allowed: bool, more: bool = False) -> str:
    """Chains that deny all between pods and the remote cluster, but for port 80 of that if ``allowed``.

    ``more`` puts another rule before.
    """
    verdict = "accept" if allowed else "drop"
    made = relations(
        base_chain=[("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy")],
        chain_rule=[
            *([("milan", 0, "rule", 0, "drop")] if more else []),
            ("milan", 1, "rule", 1, verdict),
            ("milan", 2, "default", 0, "drop"),
            ("milan", 3, "default", 0, "drop"),
        ],
        chain_port=[("milan", 1, "tcp", 80, 80), ("milan", 1, "udp", 80, 80), ("milan", 1, "udp", 443, 450)],
        chain_set=[("milan", 1, "source", "group", "vc-local"), ("milan", 2, "source", "group", "vc-local")],
        chain_element=[("milan", "group", "vc-local", address) for address in PODS],
        chain_cidr=[
            *(("milan", 1, "destination", cidr) for cidr in REMOTES),
            *(("milan", 3, "source", cidr) for cidr in REMOTES),
            *(("milan", 0, "source", "192.0.2.0/24") for _ in range(more)),
        ],
        chain_any=[("milan", 2, "destination"), ("milan", 3, "destination"), *[("milan", 0, "destination")] * more],
    )
    return agent_script(assemble_agent(Layout.from_relations(made)))


def run(steps: Sequence[Step]) -> list[Any]:
    """What became of each step."""
    command = ["unshare", "-rnm", sys.executable, "-m", "tests.dataplane.connections"]
    run = subprocess.run(command, input=json.dumps(steps), cwd=ROOT, text=True, capture_output=True, check=False)
    assert run.returncode == 0, f"needs nft, ip, unshare and user namespaces\n{run.stderr}"
    found: list[Any] = json.loads(run.stdout)
    return found


def opened(name: str, protocol: str, *, six: bool, service: bool) -> Step:
    """A connection from a pod to port 80 of the remote cluster, directly or by the Service."""
    destination, port = (SERVICE, SERVICE_PORT) if service else (REMOTE, 80)
    ends = {"source": PODS[six], "destination": destination[six], "from": "pods", "to": "remote"}
    return {"send": name, "protocol": protocol, "port": port, **ends}


def packets(counted: Mapping[str, int], rule: str, way: str) -> int:
    """What a counter of a rule of the policy has counted."""
    (found,) = [count for name, count in counted.items() if name.startswith(f"{rule}-") and name.endswith(f".{way}")]
    return found


@families
@paths
@protocols
def test_a_new_deny_cuts_both_ways_at_once_and_an_allow_lets_go_on(protocol: str, *, six: bool, service: bool) -> None:
    both = [{"reply": "one"}, {"later": "one"}]
    count = {"count": "lce-milan", "family": "ip6" if six else "ip"}
    first, reply, later, *rest = run(
        [
            {"load": script(allowed=True)},
            opened("one", protocol, six=six, service=service),
            *both,
            {"load": script(allowed=True, more=True)},
            *both,
            count,
            {"load": script(allowed=False)},
            *both,
            count,
            {"load": script(allowed=True)},
            *both,
        ]
    )[1:]
    assert first[0] == later[0] == "remote"
    # The packet that the remote end gets is not the one that the pod sent: the chains judge it as that.
    assert (first[1] == packed(PODS[six]).hex()) == (not service)
    assert reply == ["pods", *(packed(end[six]).hex() for end in (SERVICE if service else REMOTE, PODS))]
    _, reply, later, counted, _, *cut, denied, _, again, resumed = rest
    assert (reply[0], later[0]) == ("pods", "remote"), "another rule that does not concern it changes nothing"
    assert [packets(counted, "rule-1", way) for way in ("original", "reply", "packet")] == [1, 1, 0]
    assert cut == [None, None], "neither side reaches the other once the policy denies it"
    assert [packets(denied, "rule-1", way) for way in ("original", "reply", "packet")] == [1, 1, 0]
    assert (again[0], resumed[0]) == ("pods", "remote")


@families
def test_a_connection_is_judged_by_who_opened_it(*, six: bool) -> None:
    back = {"source": REMOTE[six], "destination": PODS[six], "from": "remote", "to": "pods"}
    _, denied, opening, reply = run(
        [
            {"load": script(allowed=True)},
            {"send": "back", "protocol": "tcp", "port": 80, **back},
            opened("one", "tcp", six=six, service=False),
            {"reply": "one"},
        ]
    )
    assert denied is None
    assert (opening[0], reply[0]) == ("remote", "pods")


@families
@protocols
def test_an_error_is_judged_as_the_connection_that_it_is_about(protocol: str, *, six: bool) -> None:
    _, _, arrived, _, cut = run(
        [
            {"load": script(allowed=True)},
            opened("one", protocol, six=six, service=False),
            {"error": "one"},
            {"load": script(allowed=False)},
            {"error": "one"},
        ]
    )
    # The rule is for a port of the protocol, which no packet of ICMP has.
    assert arrived[0] == "pods"
    assert cut is None


@families
def test_several_ports_of_a_protocol_are_those_of_the_endpoint(*, six: bool) -> None:
    ends = {"source": PODS[six], "destination": REMOTE[six], "from": "pods", "to": "remote"}
    ports = (79, 80, 81, 442, 443, 447, 450, 451, SERVICE_PORT)
    sent = [{"send": str(port), "protocol": "udp", "port": port, **ends} for port in ports]
    found = run([{"load": script(allowed=True)}, *sent])[1:]
    assert [port for port, arrived in zip(ports, found, strict=True) if arrived] == [80, 443, 447, 450]


@families
def test_what_is_not_tracked_is_denied_by_its_own_addresses(*, six: bool) -> None:
    ends = {"source": PODS[six], "destination": REMOTE[six], "from": "pods", "to": "remote"}
    send = {"send": "one", "protocol": "udp", "port": UNTRACKED, **ends}
    whole = script(allowed=True)
    count = {"count": "lce-milan", "family": "ip6" if six else "ip"}
    _, arrived, counted = run([{"load": whole}, send, count])
    assert arrived is None
    assert packets(counted, "default", "packet") == 1
    # Without the first rule of the chain such packets meet no rule at all.
    weaker = whole.replace("ct state invalid,untracked goto packet", "")
    assert run([{"load": weaker}, send])[1][0] == "remote"


@families
def test_what_a_node_receives_is_judged_in_its_input_hook(*, six: bool) -> None:
    ends = {"source": REMOTE[six], "destination": NODE[six], "from": "remote", "to": "pods"}
    send = {"send": "one", "protocol": "udp", "port": 10250, **ends}
    received = {"count": "service", "family": "inet"}
    _, before, _, _, after = run([send, received, {"load": script(allowed=True)}, send, received])
    assert (before["received"], after["received"]) == (1, 1)
