"""Recordings of real clusters: every member, every finding and every answer is what the objects say, decided by reading
them, not by running the rules.
"""

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from liqo_connectivity.facts import kind_of, read
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.sources import rules
from liqo_connectivity.rules.program import load
from tests.support import recordings
from tests.support.clusters import RENDERED, base_of, program, solve, tables
from tests.support.recordings import STATES

FORGED = ("ForgedShadowLabel", "Pod", "infra/spoof-shadow", "worker-1")
NAPLES = "naples-tenant/naples-cfg"
STALE = {
    "batch/batch-forced": "10.71.2.6",
    "shop/agent-remote": "10.71.2.7",
    "shop/api-56f848cfb7-ftnqn": "10.71.2.13",
    "shop/api-56f848cfb7-ztl7j": "10.71.1.5",
    "shop/web-5": "10.71.2.14",
}
SECOND_FAMILY = {
    "batch-rome/batch-forced": "6",
    "depot/la-1": "11",
    "liqo-tenant-rome/gw-rome-75bf4ccdb8-hb26t": "2",
    "liqo/liqo-controller-manager-79c6b494ff-s8kt8": "5",
    "liqo/liqo-ipam-5f5dfb9464-q98rb": "3",
    "liqo/liqo-proxy-7d58885667-94wdc": "4",
    "shop-rome/agent-remote": "7",
    "shop-rome/api-56f848cfb7-tqssp": "8",
    "shop-rome/intruder": "12",
    "shop-rome/web-0": "10",
}
"""The pods of the dual-stack node, and the last part of their IPv6 addresses."""
FINDINGS = {
    "rome": {FORGED},
    "rome-2": {
        FORGED,
        *(("StaleAddress", "Pod", pod, address) for pod, address in {**STALE, "edge/edge-0": "10.71.1.9"}.items()),
    },
    # Whether an address is stale cannot be said while the CIDRs of its cluster are not known.
    "rome-3": {
        FORGED,
        # Its NamespaceOffloading is gone, and the remote cluster has not deleted its namespace yet.
        ("MapNotRequired", "NamespaceMap", "liqo-tenant-milan/milan", "edge"),
        ("NetworkTerminating", "Network", "liqo-tenant-milan/milan-pod-10-244-0-0-17", "it is being deleted"),
        ("NetworkMissing", "Configuration", "liqo-tenant-milan/milan", "10.244.0.0/16"),
        *(
            ("NetworkNotReady", "Network", f"{NAPLES}-{cidr}", "/status/cidr is not set")
            for cidr in ("external-10-70-0-0-16", "pod-10-244-0-0-16", "pod-10-99-0-0-16")
        ),
    },
    # edge-0 has failed by now: its address is nobody's.
    "rome-4": {
        FORGED,
        *(("StaleAddress", "Pod", pod, address) for pod, address in {**STALE, "shop/web-6": "10.71.2.15"}.items()),
        ("StaleAddress", "Pod", "shop/web-1", "10.61.1.10"),
        ("AddressOfAnotherPeering", "Pod", "shop/web-1", "naples"),
    },
    "milan": {
        ("ForgedOriginLabel", "Pod", "depot/spoof-origin", "rome"),
        *(("IPv6NotEnforced", "Pod", pod, f"fd00:10:244:2::{address}") for pod, address in SECOND_FAMILY.items()),
    },
}
"""What is odd about each state when no policy is there."""

LOCAL = {"10.200.2.7", "10.200.2.8", "10.244.1.6", "10.244.1.8"}
GROUPS = {
    "rome": {
        ("milan", "vc-local"): LOCAL,
        ("milan", "vc-remote"): {f"10.71.{end}" for end in ("1.5", "1.6", "1.9", "2.6", "2.7", "2.8", "2.10")},
    },
    "rome-2": {("milan", "vc-local"): LOCAL | {"10.200.2.9"}, ("milan", "vc-remote"): {"10.61.1.10"}},
    "rome-3": {("milan", "vc-local"): LOCAL | {"10.200.2.9"}},
    "rome-4": {("milan", "vc-local"): LOCAL | {"10.200.2.9"}},
    "milan": {
        ("rome", "offloaded"): {
            *(f"10.244.{end}" for end in ("1.5", "1.6", "1.9", "2.6", "2.7", "2.8", "2.10")),
            *(f"fd00:10:244:2::{end}" for end in ("6", "7", "8", "10")),
        },
    },
}
"""The members of every group that is not empty, read from the objects by a person."""

WHY: list[tuple[str, str, str, str, tuple[str, int | None] | None]] = [
    ("rome", "shop/web-0", "shop/web-2:8080/tcp", "allowed", ("rule", 0)),
    ("rome", "shop/web-3", "shop/agent-remote", "allowed", ("rule", 1)),
    ("rome", "ip:10.71.9.9", "infra/dns-0", "denied", ("rule", 2)),
    ("rome", "ip:10.68.0.1", "shop/db-0", "denied", ("rule", 3)),
    ("rome", "infra/spoof-shadow", "shop/web-0", "denied", ("rule", 4)),
    ("rome", "shop/job-remote", "shop/web-2", "denied", ("rule", 3)),
    ("rome", "infra/dns-0", "shop/web-2", "allowed", ("default", None)),
    ("rome", "ip:10.71.2.10", "ip:203.0.113.9", "allowed", ("default", None)),
    ("rome", "kube-system/none", "shop/web-0", "", None),
    ("rome-2", "shop/web-1", "shop/web-0", "allowed", ("rule", 0)),
    ("rome-2", "shop/web-1", "infra/dns-0", "denied", ("rule", 2)),
    # The address of web-5 is stale: the policy governs the flow for its other end, and no rule knows the source.
    ("rome-2", "shop/web-5", "shop/web-2", "allowed", ("default", None)),
    ("rome-3", "shop/web-1", "shop/web-0", "unknown", None),
    ("rome-3", "infra/mon-0", "ip:10.99.3.3", "unknown", None),
    ("rome-4", "shop/web-1", "shop/web-0", "denied", ("rule", 0)),
    ("rome-4", "ip:10.63.1.1", "shop/web-0", "denied", ("rule", 3)),
    ("milan", "shop-rome/web-0", "shop-rome/web-1", "allowed", ("rule", 2)),
    ("milan", "shop-rome/web-0", "depot/la-0", "denied", ("rule", 3)),
    ("milan", "shop-rome/intruder", "shop-rome/web-0", "denied", ("rule", 4)),
    ("milan", "ip:10.71.3.3", "shop-rome/web-0:80/tcp", "allowed", ("rule", 0)),
    ("milan", "depot/spoof-origin", "depot/la-0", "allowed", None),
]
"""State, source, destination, verdict, and what decides at the peering that governs (the last one by name)."""
EXITS = {"allowed": 0, "denied": 1, "unknown": 3, "": 2}


@pytest.fixture(autouse=True)
def _one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse the rule files once for all commands of this module."""
    monkeypatch.setattr(rules, "load", lambda added: load(added) if added else program())


@pytest.mark.parametrize("state", STATES)
def test_findings_name_what_is_odd_about_the_objects(state: str) -> None:
    model = solve(base_of(o for o in recordings.objects_of(state) if _is_read(o)), ["finding"])
    assert set(model.rows("finding")) == FINDINGS[state]


@pytest.mark.parametrize("state", STATES)
def test_groups_have_the_members_that_the_objects_say(state: str) -> None:
    model = solve(base_of(o for o in recordings.objects_of(state) if _is_read(o)), ["member"])
    found: dict[tuple[str, str], set[str]] = {}
    for peering, group, address in model.rows("member"):
        found.setdefault((str(peering), str(group)), set()).add(str(address))
    assert found == GROUPS[state]
    assert found == ground_truth(list(recordings.objects_of(state)))


def ground_truth(objects: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """The members of vc-local, vc-remote and offloaded, straight from the objects of a state."""

    def kind(name: str) -> list[dict[str, Any]]:
        return [o for o in objects if o["kind"] == name]

    def labels(found: dict[str, Any]) -> dict[str, str]:
        return found["metadata"].get("labels", {})  # type: ignore[no-any-return]  # an object is untyped

    node_of = {
        n["metadata"]["name"]: labels(n)["liqo.io/remote-cluster-id"]
        for n in kind("Node")
        if labels(n).get("liqo.io/type") == "virtual-node"
    }
    cidrs: dict[str, list[str | None]] = {}
    for network in kind("Network"):
        gone = "deletionTimestamp" in network["metadata"]
        cidr = None if gone else network.get("status", {}).get("cidr")
        cidrs.setdefault(labels(network).get("liqo.io/remote-cluster-id", ""), []).append(cidr)
    found: dict[tuple[str, str], set[str]] = {}
    for pod in kind("Pod"):
        namespace, address = pod["metadata"]["namespace"], pod["status"].get("podIP")
        if not address or pod["status"]["phase"] in ("Succeeded", "Failed"):
            continue
        remote = node_of.get(pod["spec"]["nodeName"])
        if remote is not None:
            known = cidrs.get(remote, [None])
            inside = None not in known and any(ip_address(address) in ip_network(str(c)) for c in known)
            if inside:
                found.setdefault((remote, "vc-remote"), set()).add(address)
            continue
        if pod["spec"].get("hostNetwork"):
            continue
        for offloading in kind("NamespaceOffloading"):
            if offloading["metadata"]["namespace"] == namespace:
                for peering, conditions in offloading["status"]["remoteNamespacesConditions"].items():
                    if any((c["type"], c["status"]) == ("OffloadingRequired", "True") for c in conditions):
                        found.setdefault((peering, "vc-local"), set()).add(address)
        origin = labels(pod).get("offloading.liqo.io/origin")
        own = next(n for n in kind("Namespace") if n["metadata"]["name"] == namespace)
        if origin and labels(own).get("liqo.io/remote-cluster-id") == origin:
            found.setdefault((origin, "offloaded"), set()).update(each["ip"] for each in pod["status"]["podIPs"])
    return found


@pytest.mark.parametrize("state", STATES)
def test_chains_are_rendered_for_what_is_known_and_the_rest_is_named(
    state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recordings.with_policies(state, tmp_path)
    code = run(["render", "-f", str(folder), "-o", "json"])
    out, err = capsys.readouterr()
    rendered = {item["metadata"]["name"] for item in json.loads(out)["items"]}
    expected = {
        "rome": {"milan-connectivity"},
        "rome-2": {"milan-connectivity"},
        "rome-3": set[str](),
        "rome-4": {"milan-connectivity", "naples-connectivity"},
        "milan": {"rome-connectivity"},
    }
    assert rendered == expected[state]
    assert code == (3 if state == "rome-3" else 0)
    # Findings about a Network are reasons to wait once a policy needs it.
    waits = [line for line in err.splitlines() if line.startswith("pending: ")]
    warns = [line for line in err.splitlines() if line.startswith("warning: ")]
    named = [(code, found) for code, _, found, _ in FINDINGS[state]]
    assert len(waits) + len(warns) == len(named), err
    for code_, found in named:
        assert any(f"{code_}: " in line and f" {found}: " in line for line in (*waits, *warns)), (code_, found, err)
    assert [line.split(":")[0] for line in waits] == ["pending"] * (5 if state == "rome-3" else 0)


@pytest.mark.parametrize(("state", "source", "destination", "verdict", "decided"), WHY)
def test_why_decides_as_a_person_would(
    state: str,
    source: str,
    destination: str,
    verdict: str,
    decided: tuple[str, int | None] | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(recordings.with_policies(state, tmp_path, as_json=True))
    code = run(["why", source, destination, "-f", folder, "-o", "json"])
    out, err = capsys.readouterr()
    assert code == EXITS[verdict], err
    if not verdict:
        assert source in err
        return
    answer = json.loads(out)
    assert answer["verdict"] == verdict
    governing = [p for p in answer["peerings"] if p["decidedBy"]]
    told = [(p["decidedBy"]["kind"], p["decidedBy"]["index"]) for p in governing]
    assert told[-1:] == ([decided] if decided else [])
    assert run(["why", source, destination, "-f", folder]) == code
    assert capsys.readouterr().out.startswith(verdict.upper())


@pytest.mark.parametrize("state", STATES)
def test_a_dump_of_a_state_renders_the_same(state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = recordings.with_policies(state, tmp_path / "state")
    assert run(["facts", "dump", "-f", str(folder)]) == 0
    dump, err = capsys.readouterr()
    assert all(line.startswith("note: ignored") for line in err.splitlines()), err
    (tmp_path / "facts.jsonl").write_text(dump, "utf-8")
    loaded = read([tmp_path / "facts.jsonl"])
    assert not loaded.problems
    whole = read([folder])
    assert not whole.problems
    assert tables(solve(loaded.base, RENDERED)) == tables(solve(whole.base, RENDERED))


def _is_read(found: dict[str, Any]) -> bool:
    return kind_of(found["apiVersion"], found["kind"]) is not None
