"""``preset``: what each preset means on a consumer and on a provider, and the matrix that it prints."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from liqo_connectivity.engine import Program, evaluate
from liqo_connectivity.facts import read
from liqo_connectivity.operator.explain import preset as presets
from liqo_connectivity.rules.program import load
from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs

Capture = pytest.CaptureFixture[str]
PEERINGS = {"consumer": "milan", "provider": "rome"}
EXAMPLES = [(name, side) for name in presets.NAMES for side in PEERINGS]
DNS = "examples/presets/dns.yaml"


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def printed(capsys: Capture, name: str, *arguments: str) -> str:
    code, out, _ = outputs(capsys, "preset", name, *arguments)
    assert code == 0
    return out


def objects(folder: str) -> list[str]:
    """The options that give the objects of an example without its policy."""
    return [word for file in ("cluster", "liqo", "pods") for word in ("-f", f"examples/{folder}/{file}.yaml")] + [
        "-f",
        DNS,
    ]


def for_example(capsys: Capture, name: str, side: str, *more: str) -> str:
    return printed(capsys, name, "--peering", PEERINGS[side], "-f", f"examples/{side}", "-f", DNS, *more)


@pytest.mark.parametrize(("name", "side"), EXAMPLES)
def test_the_example_is_what_the_command_prints(
    name: str, side: str, capsys: Capture, request: pytest.FixtureRequest
) -> None:
    file = Path("examples/presets", name, f"{side}.yaml")
    out = for_example(capsys, name, side)
    if request.config.getoption("--update"):
        file.write_text(out, "utf-8")
    assert out == file.read_text("utf-8")
    (policy,) = yaml.safe_load_all(out)
    assert policy == json.loads(for_example(capsys, name, side, "-o", "json"))["policy"]


def test_every_preset_has_an_example() -> None:
    assert {path.name for path in Path("examples/presets").iterdir() if path.is_dir()} == set(presets.NAMES)
    assert set(presets.NAMES) == {"open", "offload-only", "segregated", "protected-borders", "default-deny"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), EXAMPLES)
def test_a_cell_is_what_why_answers(name: str, side: str, capsys: Capture) -> None:
    """Every fifth cell, each time from another one on, so that the presets cover every place of the matrix."""
    cells = json.loads(for_example(capsys, name, side, "-o", "json"))["matrix"]
    assert len(cells) >= 25
    policy = ["-f", f"examples/presets/{name}/{side}.yaml"]
    for cell in cells[ORDER.index(name) :: len(ORDER)]:
        ports = {port for outcome in cell["outcomes"] for port in outcome["ports"]}
        for port in ("53/udp", "9/tcp") if "udp/53" in ports else ("",):
            destination = f"group:{cell['destination']}{port and ':'}{port}"
            code, out, _ = outputs(capsys, "why", f"group:{cell['source']}", destination, *objects(side), *policy)
            assert code == {"allowed": 0, "denied": 1}[expected(cell, port)], f"{cell}\n{port} {out}"


@pytest.mark.parametrize(("name", "side"), EXAMPLES)
def test_every_cell_is_the_worst_verdict_of_its_members(name: str, side: str, capsys: Capture) -> None:
    """Of all members that are pods, asked one by one, and without the ports that rules name."""
    policy = f"examples/presets/{name}/{side}.yaml"
    members = held(side, policy)
    cells = json.loads(for_example(capsys, name, side, "-o", "json"))["matrix"]
    flows = {
        (s, d, 0, "other")
        for cell in cells
        for s in members[cell["source"]]
        for d in members[cell["destination"]]
        if s != d
    }
    verdicts = decided(side, policy, flows)
    for cell in cells:
        pairs = [(s, d, 0, "other") for s in members[cell["source"]] for d in members[cell["destination"]] if s != d]
        if pairs:
            worst = min((verdicts[pair] for pair in pairs), key=("denied", "unknown", "allowed").index)
            found = {outcome["verdict"] for outcome in cell["outcomes"] if outcome["ports"] in ([], ["other"])}
            assert worst in found or cell["verdict"] == worst, cell
            assert {verdicts[pair] for pair in pairs} <= {outcome["verdict"] for outcome in cell["outcomes"]}, cell


@cache
def program(*goals: str) -> Program:
    return load().slice(goals)


def held(side: str, policy: str) -> dict[str, list[str]]:
    """The addresses of pods in each group of the peering."""
    peering = PEERINGS[side]
    reading = read([*objects(side)[1::2], policy])
    pods = [(address, address, address, "new") for _, address in reading.base.rows("pod_ip")]
    facts = {**dict(reading.base.relations()), "flow": pods}
    model = evaluate(program("in_group", "group"), facts)
    groups = {f"{group}@{peering}": list[str]() for group, _ in model.rows("group")}
    for owner, group, address in model.rows("in_group"):
        if owner == peering:
            groups[f"{group}@{peering}"].append(str(address))
    return groups


def decided(side: str, policy: str, flows: Iterable[tuple[str, str, int, str]]) -> dict[tuple[str, str, int, str], str]:
    """The verdict on new connections: from an address to an address, with a port and its protocol."""
    reading = read([*objects(side)[1::2], policy])
    asked = {str(flow): flow for flow in flows}
    facts = {
        **dict(reading.base.relations()),
        "flow": [(name, source, destination, "new") for name, (source, destination, *_) in asked.items()],
        "flow_port": [(name, port, protocol) for name, (*_, port, protocol) in asked.items()],
    }
    model = evaluate(program("flow_verdict"), facts)
    return {asked[str(flow)]: str(verdict) for flow, verdict in model.rows("flow_verdict")}


def expected(cell: dict[str, Any], port: str) -> str:
    """The worst verdict of the outcomes that a port is about."""
    number, _, protocol = port.partition("/")
    verdicts = {
        outcome["verdict"]
        for outcome in cell["outcomes"]
        if not outcome["ports"]
        or f"{protocol}/{number}" in outcome["ports"]
        or (port != "53/udp" and "other" in outcome["ports"])
    }
    worst: str = min(verdicts, key=("denied", "unknown", "allowed").index)
    return worst


OWN, PEER, HOST = "depot/stock-0", "10.81.1.8", "172.19.0.11"
DNS_POD = "kube-system/coredns"
ADDRESSES = {
    "consumer": {
        "shop/web-0": "10.71.2.10",
        "shop/web-2": "10.244.1.8",
        "shop/db-0": "10.244.2.9",
        "infra/metrics-0": "10.244.2.14",
        DNS_POD: "10.244.1.2",
    },
    "provider": {
        "shop-rome/web-0": "10.244.2.10",
        "shop-rome/web-1": "10.244.1.11",
        "depot/stock-0": "10.244.1.30",
        "depot/stock-1": "10.244.2.31",
        DNS_POD: "10.244.1.2",
    },
}
MEANT = {
    # From, to, and whether a new connection passes: with open, default-deny, offload-only, segregated, protected-borders.
    "consumer": [
        ("shop/web-2", "shop/web-0", "+-+++"),
        ("shop/web-0", "shop/web-2", "+-++-"),
        ("shop/web-2", "shop/db-0", "+-+++"),
        ("infra/metrics-0", "shop/web-0", "+---+"),
        ("shop/web-0", "infra/metrics-0", "+----"),
        ("infra/metrics-0", "shop/web-2", "+-+++"),
        ("10.71.9.9", "shop/db-0", "+----"),
        ("shop/db-0", "10.71.9.9", "+---+"),
        ("infra/metrics-0", f"{DNS_POD}:53/udp", "+++++"),
    ],
    "provider": [
        (PEER, "shop-rome/web-0", "+-+++"),
        ("shop-rome/web-0", PEER, "+-+++"),
        ("shop-rome/web-0", "shop-rome/web-1", "+-+++"),
        ("shop-rome/web-0", f"{DNS_POD}:53/udp", "+-+++"),
        ("shop-rome/web-0", f"{DNS_POD}:9153/tcp", "+-+--"),
        ("shop-rome/web-0", OWN, "+-+--"),
        (OWN, "shop-rome/web-0", "+-+++"),
        (PEER, OWN, "+----"),
        (OWN, PEER, "+---+"),
        ("shop-rome/web-0", "198.51.100.7", "+-+-+"),
        ("shop-rome/web-0", HOST, "+-+--"),
        ("depot/stock-0", "depot/stock-1", "+++++"),
    ],
}
ORDER = ("open", "default-deny", "offload-only", "segregated", "protected-borders")


@pytest.mark.parametrize("side", PEERINGS)
@pytest.mark.parametrize("name", ORDER)
def test_what_a_preset_means(name: str, side: str) -> None:
    policy = f"examples/presets/{name}/{side}.yaml"
    meant: dict[tuple[str, str, int, str], str] = {}
    for source, destination, marks in MEANT[side]:
        address, _, port = destination.partition(":")
        number, _, protocol = (port or "8080/tcp").partition("/")
        pair = (ADDRESSES[side].get(source, source), ADDRESSES[side].get(address, address))
        meant[(*pair, int(number), protocol)] = "allowed" if marks[ORDER.index(name)] == "+" else "denied"
    assert decided(side, policy, meant) == meant


@pytest.mark.parametrize("side", PEERINGS)
def test_established_connections_pass_the_strictest(side: str, capsys: Capture) -> None:
    source, destination, _ = MEANT[side][0]
    policy = ["-f", f"examples/presets/default-deny/{side}.yaml"]
    ends = [end if "/" in end else f"ip:{end}" for end in (source, destination)]
    for start, end in (ends, ends[::-1]):
        assert outputs(capsys, "why", start, end, "--state", "established", *objects(side), *policy)[0] == 0


@pytest.mark.parametrize("enforced", [("milan",), ("naples",), ("milan", "naples")], ids=" and ".join)
def test_segregated_peers_reach_neither_each_other_nor_a_slice_of_another(
    enforced: tuple[str, ...], capsys: Capture, tmp_path: Path
) -> None:
    """Either policy alone stops what would cross this consumer from one provider to the other."""
    for peering in enforced:
        out = printed(capsys, "segregated", "--peering", peering, *objects("multi-provider"))
        (tmp_path / f"{peering}.yaml").write_text(out, "utf-8")
    milan, naples = ("10.71.2.10", "10.71.9.9"), ("10.72.2.10", "10.72.9.9")
    flows = [(*pair, 8080, "tcp") for m in milan for n in naples for pair in ((m, n), (n, m))]
    assert set(decided("multi-provider", str(tmp_path), flows).values()) == {"denied"}


@pytest.mark.parametrize("name", presets.NAMES)
def test_check_has_nothing_to_report(name: str, capsys: Capture, tmp_path: Path) -> None:
    """Of a cluster where all is as it should be, the built-in one, and a cluster id that YAML could take for a number."""
    peering = "123"
    out = printed(capsys, name, "--peering", peering)
    (tmp_path / "policy.yaml").write_text(out, "utf-8")
    model = presets.model_objects(peering, f"liqo-tenant-{peering}")
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump_all(model), "utf-8")
    code, said, err = outputs(capsys, "check", "-f", str(tmp_path), "--assume-complete")
    assert (code, said, err) == (0, "1 policy, nothing to report\n", "")


@pytest.mark.parametrize(("name", "side"), [("segregated", "provider"), ("offload-only", "consumer")])
def test_check_reports_nothing_about_the_policy_of_an_example(name: str, side: str, capsys: Capture) -> None:
    _, out, _ = outputs(capsys, "check", *objects(side), "-f", f"examples/presets/{name}/{side}.yaml", "-o", "json")
    assert not [line for line in json.loads(out)["findings"] if "PeeringConnectivity" in line]


def test_the_policy_of_the_input_is_replaced(capsys: Capture) -> None:
    given = ["--peering", "rome", "-f", "examples/provider", "-f", DNS, "-o", "json"]
    without = ["--peering", "rome", *objects("provider"), "-o", "json"]
    assert printed(capsys, "open", *given) == printed(capsys, "open", *without)


def test_incomplete_input_makes_cells_unknown(capsys: Capture) -> None:
    code, out, err = outputs(capsys, "preset", "segregated", "--peering", "rome", "-f", "examples/provider")
    assert code == 3
    assert "kind: PeeringConnectivity" in out
    assert " unknown " in out
    assert err.startswith("pending: PeeringConnectivity liqo-tenant-rome/rome: KindAbsent")


def test_the_namespace_is_that_of_the_option_or_of_the_input(capsys: Capture) -> None:
    def namespace(*arguments: str) -> str:
        found: str = yaml.safe_load(printed(capsys, "open", *arguments))["metadata"]["namespace"]
        return found

    assert namespace("--peering", "milan") == "liqo-tenant-milan"
    assert namespace("--peering", "milan", "-n", "elsewhere") == "elsewhere"
    assert namespace("--peering", "milan", "-f", "examples/consumer") == "liqo-tenant-milan"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["opened", "--peering", "milan"], "'opened' is not one of 'default-deny', 'offload-only'"),
        (["open"], "Missing option '--peering'"),
        (["open", "--peering", "Milan"], "--peering 'Milan': a name has at most 63 lower case letters"),
        (["open", "--peering", "milan\nspec: {}"], "a name has at most"),
        (["open", "--peering", "a" * 60], "--namespace 'liqo-tenant-aaa"),
        (
            ["open", "--peering", "paris", "-f", "examples/consumer"],
            "there is no peering 'paris' in the input; peerings: milan",
        ),
        (
            ["open", "--peering", "milan", "-n", "shop", "-f", "examples/consumer"],
            "the tenant namespace of milan is liqo-tenant-milan, and a policy elsewhere governs nothing",
        ),
    ],
    ids=str,
)
def test_wrong_usage(arguments: list[str], said: str, capsys: Capture) -> None:
    code, out, err = outputs(capsys, "preset", *arguments)
    assert (code, out) == (2, "")
    assert said in err
