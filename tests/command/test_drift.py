"""``drift``: policies, stored objects and a kernel are compared, and what is not known is never the same."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import nft
from tests.support.checkout import ROOT
from tests.support.descriptions import Party, Rule
from tests.support.large_clusters import large
from tests.support.manifests import objects
from tests.support.recorded_cluster import outputs

Capture = pytest.CaptureFixture[str]
Object = dict[str, Any]
CONSUMER = ("-f", "examples/consumer")
STORED = "examples/drift/stored.yaml"


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def rendered(capsys: Capture) -> Object:
    """The FirewallConfiguration of the example, as it would be stored."""
    _, out, _ = outputs(capsys, "render", *CONSUMER, "-o", "json")
    (made,) = json.loads(out)["items"]
    return dict(made)


def drifted(capsys: Capture, tmp_path: Path, stored: object, *arguments: str) -> tuple[int, str, str]:
    file = tmp_path / "stored.json"
    file.write_text(json.dumps(stored))
    return outputs(capsys, "drift", *CONSUMER, "-f", str(file), *arguments)


def test_what_was_rendered_is_the_same(capsys: Capture, tmp_path: Path) -> None:
    assert drifted(capsys, tmp_path, rendered(capsys))[:2] == (0, "1 compared, nothing differs\n")


def _without_label(made: Object) -> None:
    del made["metadata"]["labels"]["networking.liqo.io/firewall-category"]


def _other_table(made: Object) -> None:
    made["spec"]["table"]["name"] = "connectivity-other"


def _going(made: Object) -> None:
    made["metadata"]["deletionTimestamp"] = "2026-07-01T10:30:00Z"


def _without_states(made: Object) -> None:
    made["spec"]["table"]["chains"][0]["rules"]["filterRules"][0]["match"][0].pop("ctstate")


def _without_sets(made: Object) -> None:
    made["spec"]["table"].pop("sets")


def _moved(made: Object) -> None:
    rules = made["spec"]["table"]["chains"][0]["rules"]["filterRules"]
    rules.append(rules.pop(1))


def _policy(made: Object) -> None:
    made["spec"]["table"]["chains"][0]["policy"] = "drop"


def _emptied(made: Object) -> None:
    made["spec"]["table"]["sets"][0]["elements"] = []


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (
            _without_label,
            "missing: label networking.liqo.io/firewall-category=fabric, without which no agent applies the object",
        ),
        (_going, "changed: FirewallConfiguration liqo-tenant-milan/milan-connectivity: it is being deleted"),
        (_other_table, "changed: table connectivity-milan: ip connectivity-other"),
        (_without_states, "missing: the rule for established connections: accept state established,related"),
        (_without_sets, "missing: set group.vc_local.0"),
        (
            _moved,
            "moved: rule 0 (vc-local -> vc-remote): accept destination @group.vc_remote.0 source @group.vc_local.0",
        ),
        (
            _policy,
            (
                "changed: chain connectivity: type filter hook postrouting priority 90 policy drop, "
                "not type filter hook postrouting priority 90 policy accept"
            ),
        ),
        (_emptied, "missing: element 10.244.1.8 (Pod shop/web-2) of set group.vc_local.0"),
    ],
)
def test_a_stored_object_that_differs_is_drift(
    damage: Callable[[Object], None], line: str, capsys: Capture, tmp_path: Path
) -> None:
    made = rendered(capsys)
    damage(made)
    code, out, _ = drifted(capsys, tmp_path, made)
    assert (code, line in [each.strip() for each in out.splitlines()]) == (1, True), out


def test_an_object_that_is_not_there_is_drift(capsys: Capture) -> None:
    code, out, err = outputs(capsys, "drift", *CONSUMER, "--assume-complete")
    assert (code, "error" in err) == (1, False)
    assert "  missing: FirewallConfiguration liqo-tenant-milan/milan-connectivity\n" in out


def test_without_stored_objects_nothing_is_known(capsys: Capture) -> None:
    code, out, err = outputs(capsys, "drift", *CONSUMER)
    assert (code, out) == (3, "0 compared, nothing to compare\n")
    assert "error: the files hold no FirewallConfiguration; add what this prints: kubectl get" in err


def test_an_object_of_no_policy_is_drift_and_one_of_another_owner_is_not_ours(capsys: Capture, tmp_path: Path) -> None:
    made, other = rendered(capsys), rendered(capsys)
    other["metadata"]["name"] = "naples-connectivity"
    other["spec"]["table"]["name"] = "connectivity-naples"
    code, out, _ = drifted(capsys, tmp_path, {"apiVersion": "v1", "kind": "List", "items": [made, other]})
    assert (code, "  extra: FirewallConfiguration liqo-tenant-milan/naples-connectivity\n" in out) == (1, True)
    other["metadata"]["labels"] = {}
    other["spec"]["table"]["name"] = "somebody-elses"
    assert drifted(capsys, tmp_path, {"apiVersion": "v1", "kind": "List", "items": [made, other]})[0] == 0


def test_a_stand_in_says_that_an_edit_is_under_way(capsys: Capture, tmp_path: Path) -> None:
    made, other = rendered(capsys), rendered(capsys)
    other["metadata"]["name"] = "milan-connectivity-standin"
    other["spec"]["table"]["name"] = "standin-milan"
    code, out, _ = drifted(capsys, tmp_path, {"apiVersion": "v1", "kind": "List", "items": [made, other]})
    assert code == 1
    assert out.startswith("milan: what is stored differs from the policies")
    assert (
        "  extra: FirewallConfiguration liqo-tenant-milan/milan-connectivity-standin, "
        "a stand-in: an edit of the policy is under way\n"
    ) in out


def test_an_object_that_is_given_twice_and_differs_is_not_known(capsys: Capture, tmp_path: Path) -> None:
    made, other = rendered(capsys), rendered(capsys)
    assert drifted(capsys, tmp_path, {"apiVersion": "v1", "kind": "List", "items": [made, made]})[0] == 0
    _emptied(other)
    code, _, err = drifted(capsys, tmp_path, {"apiVersion": "v1", "kind": "List", "items": [made, other]})
    assert (code, "is given twice, and the two differ" in err) == (3, True)


def test_the_chain_of_a_pending_policy_stays(capsys: Capture, tmp_path: Path) -> None:
    """Without its Network the policy is pending: what is stored was right when it was written."""
    made = rendered(capsys)
    made["metadata"]["annotations"] = {"security.liqo.io/owner": "milan"}
    objects = [
        each
        for each in yaml.safe_load_all(Path("examples/consumer/liqo.yaml").read_text("utf-8"))
        if not (each["kind"] == "Network" and each["metadata"]["namespace"] == "liqo-tenant-milan")
    ]
    (tmp_path / "rest.yaml").write_text(yaml.safe_dump_all([*objects, made]))
    files = ("cluster", "pods", "policy")
    given = [word for name in files for word in ("-f", f"examples/consumer/{name}.yaml")]
    code, out, err = outputs(capsys, "drift", *given, "-f", str(tmp_path / "rest.yaml"))
    assert code == 3, out
    assert "pending: PeeringConnectivity liqo-tenant-milan/milan" in err
    assert "  its policy is pending, so the last enforced chain stays\n" in out


def test_an_unreadable_object_leaves_all_unknown(capsys: Capture, tmp_path: Path) -> None:
    broken = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7, "namespace": "shop"}}
    items = {"apiVersion": "v1", "kind": "List", "items": [rendered(capsys), broken]}
    assert drifted(capsys, tmp_path, items)[0] == 3


@pytest.mark.parametrize("text", ["table ip connectivity-milan {\n}\n", "", '{"nftables": []}', "\udcff"])
def test_a_listing_that_is_none_leaves_the_kernel_unknown(text: str, capsys: Capture, tmp_path: Path) -> None:
    listing = tmp_path / "listing.json"
    listing.write_text(text, "utf-8", errors="surrogateescape")
    code, _, err = drifted(capsys, tmp_path, rendered(capsys), "--nft", str(listing))
    assert (code, f"error: {listing}" in err) == (3, True), err


def test_the_chains_of_an_agent_are_compared_with_those_of_a_kernel(capsys: Capture, tmp_path: Path) -> None:
    _, script, _ = outputs(capsys, "render", *CONSUMER, "-o", "nft", "--enforcer", "agent")
    agents = "--enforcer", "agent", "--nft", str(tmp_path / "listing.json")
    foreign = "table ip connectivity-milan {\n\tchain connectivity {\n\t}\n}\n"
    comment = next(line for line in script.splitlines() if "rule-2" in line and "ct original" in line)
    name = comment.rpartition("comment ")[2].strip('"')
    inserted = f'insert rule ip lce-milan connection accept comment "{name}"\n'
    for added, code, said in (
        (foreign, 0, "1 compared, nothing differs\n"),
        (inserted, 1, "extra: rule 2"),
        ("add element ip lce-milan group.vc_local.0 { 10.244.9.9 }\n", 1, "extra: element 10.244.9.9 of set"),
        ("delete table ip lce-milan\n", 1, "missing: table ip lce-milan"),
    ):
        loaded = nft.load_script(script, added)
        (tmp_path / "listing.json").write_text(json.dumps({"nftables": loaded}))
        found, out, _ = outputs(capsys, "drift", *CONSUMER, *agents)
        assert (found, said in out) == (code, True), out


def test_a_rule_of_a_part_is_named_with_its_chain(capsys: Capture, tmp_path: Path) -> None:
    remote, ends = Party("remote-cluster"), [Party(namespace=f"ns{number}") for number in range(40)]
    rules = [Rule("allow", *((remote, end) if at % 2 else (end, remote))) for at, end in enumerate(ends)]
    described = large([*rules, Rule("deny", remote, None), Rule("deny", None, remote)], len(ends), cidrs=60)
    cluster, stored = tmp_path / "cluster.json", tmp_path / "stored.json"
    cluster.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(described)}))
    _, out, _ = outputs(capsys, "render", "-f", str(cluster), "-o", "json")
    stored.write_text(out)
    assert outputs(capsys, "drift", "-f", str(cluster), "-f", str(stored))[0] == 0
    found = json.loads(out)
    chains = {each["name"]: each["rules"]["filterRules"] for each in found["items"][0]["spec"]["table"]["chains"]}
    guard, last = chains["from-0-to-1"].pop(1), chains["from-1-to-1"].pop()
    stored.write_text(json.dumps(found))
    code, out, _ = outputs(capsys, "drift", "-f", str(cluster), "-f", str(stored))
    lines = [each.strip() for each in out.splitlines()]
    assert (code, len(lines)) == (1, 3), out
    assert guard["name"].startswith("r001-guard-")
    assert lines[1].startswith(
        "missing: a guard for packets that another base chain judges in chain from-0-to-1: accept source outside 0.0.0.0-"
    )
    assert last["match"] == []
    assert lines[2].startswith("missing: rule 40 (remote-cluster -> any) in chain from-1-to-1: drop")
    _, out, _ = outputs(capsys, "drift", "-f", str(cluster), "-f", str(stored), "-o", "json")
    (compared,) = json.loads(out)["comparisons"]
    assert [(each["chain"], each["rule"]) for each in compared["differences"]] == [
        ("from-0-to-1", None),
        ("from-1-to-1", 40),
    ]


def test_wrong_usage_is_named(capsys: Capture, tmp_path: Path) -> None:
    for arguments, message in (
        (("--node", "worker-1"), "give it with --nft"),
        (("--enforcer", "nftables"), "with --enforcer nftables nothing is stored: give a listing with --nft"),
        (("--enforcer", "agent"), "with --enforcer agent nothing is stored: give a listing with --nft"),
        (("--nft", str(tmp_path / "absent")), "cannot be read: No such file or directory"),
        (("-f", "-", "--nft", "-"), "write one of them to a file"),
    ):
        code, _, err = outputs(capsys, "drift", *CONSUMER, *arguments)
        assert (code, message in err) == (2, True), err


def document(capsys: Capture, *arguments: str) -> Mapping[str, Any]:
    code, out, _ = outputs(capsys, "drift", *CONSUMER, "-f", STORED, *arguments, "-o", "json")
    found: Mapping[str, Any] = json.loads(out)
    assert (code, found["verdict"]) == (1, "drift")
    return found


def test_the_document_proves_what_is_missing(capsys: Capture) -> None:
    stored, kernel = document(capsys, "--nft", "examples/drift/worker-1.json", "--proof")["comparisons"]
    (element,) = stored["differences"]
    assert (element["part"], element["change"], element["name"]) == ("element", "missing", "10.244.1.8")
    (proof,) = element["proofs"]
    assert proof["steps"][0]["row"] == ["milan", "group", "vc-local", "10.244.1.8"]
    assert [(each["part"], each["change"], each["rule"]) for each in kernel["differences"]] == [
        ("rule", "missing", 2),
        ("rule", "extra", None),
    ]
    assert kernel["lastWritten"] == stored["lastWritten"] == "2026-07-01T10:20:31Z"


def test_why_an_extra_address_is_no_member_is_explained(capsys: Capture, tmp_path: Path) -> None:
    made = rendered(capsys)
    made["spec"]["table"]["sets"][0]["elements"].append({"key": "10.244.1.77"})
    _, out, _ = drifted(capsys, tmp_path, made, "--proof")
    lines = [each.strip() for each in out.splitlines()]
    assert "extra: element 10.244.1.77 of set group.vc_local.0" in lines
    assert any(line.startswith('no member("milan", "vc-local", "10.244.1.77")') for line in lines), out


def test_a_node_without_a_report_is_named(capsys: Capture) -> None:
    given = (*CONSUMER, "-f", STORED, "--nft", "examples/drift/worker-1.json")
    _, out, _ = outputs(capsys, "drift", *given, "--node", "worker-1")
    assert (
        "  the agent liqo-fabric-7hq2n of node worker-1 reports that it applied it, since 2026-07-01T10:20:32Z\n" in out
    )
    _, out, _ = outputs(capsys, "drift", *given, "--node", "worker-2")
    assert "  no agent of node worker-2 reports that it applied it\n" in out
