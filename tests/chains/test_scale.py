"""A snapshot of 10,000 pods gives the right chains: every member is there once, and large sets are split.

Nothing is timed here; ``python -m benchmarks.snapshot`` does that.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
from benchmarks import cluster
from benchmarks.snapshot import write_json, write_yaml

from liqo_connectivity.chains.limits import MAX_CHAIN_RULES, MAX_SET_ELEMENTS
from liqo_connectivity.operator.cli import run
from tests.support import nft
from tests.support.descriptions import Party, Rule
from tests.support.large_clusters import large
from tests.support.manifests import objects

PODS, YAML_PODS = 10_000, 1_000


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("scale") / "cluster.json"
    write_json(PODS, path)
    assert path.stat().st_size > 0.95 * PODS * cluster.POD_BYTES
    return str(path)


def rendered(path: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, list[str]]]:
    """The elements of each set of each table."""
    assert run(["render", "-f", path, "-o", "json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    tables = {item["metadata"]["name"]: item["spec"]["table"] for item in items}
    return {
        name: {held["name"]: [element["key"] for element in held["elements"]] for held in table["sets"]}
        for name, table in tables.items()
    }


def members(sets: dict[str, list[str]], party: str) -> list[str]:
    """The elements of all sets of a party, one after the other."""
    shards = [elements for name, elements in sets.items() if party in name]
    assert shards, f"no set of {party} among {list(sets)}"
    assert all(len(elements) <= MAX_SET_ELEMENTS for elements in shards)
    return [address for elements in shards for address in elements]


@pytest.mark.slow
def test_every_member_of_10000_pods_is_in_one_shard(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = rendered(snapshot, capsys)
    assert set(found) == {"milan-connectivity", "naples-connectivity"}
    expected = cluster.expected_members(PODS)
    assert expected["milan", "vc-remote"] > MAX_SET_ELEMENTS, "the set has to be split"
    live = [cluster.pod(number) for number in range(PODS) if cluster.pod(number)["status"]["phase"] == "Running"]
    remote = [p["status"]["podIP"] for p in live if p["spec"]["nodeName"] == "milan"]
    for (peering, group), count in expected.items():
        addresses = members(found[f"{peering}-connectivity"], group.replace("-", "_"))
        assert len(addresses) == len(set(addresses)) == count
        if group == "vc-remote":
            assert Counter(addresses) == Counter(remote)
    in_shop = [p["status"]["podIP"] for p in live if p["metadata"]["namespace"] == "shop"]
    assert Counter(members(found["milan-connectivity"], "shop")) == Counter(in_shop)


@pytest.mark.slow
@pytest.mark.parametrize(("source", "destination", "code"), [("pod-0", "pod-12", 0), ("pod-12", "pod-0", 0)])
def test_why_answers_for_10000_pods(
    source: str, destination: str, code: int, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["why", f"shop/{source}", f"shop/{destination}", "-f", snapshot, "-o", "json"]) == code
    answer = json.loads(capsys.readouterr().out)
    ends = [cluster.pod(int(name.removeprefix("pod-")))["status"]["podIP"] for name in (source, destination)]
    assert [answer[side]["address"] for side in ("source", "destination")] == ends
    # The policy of naples names the namespace shop, so it governs the flow too.
    told = [(p["peering"], p["decidedBy"]["kind"]) for p in answer["peerings"]]
    assert told == [("milan", "rule"), ("naples", "default")]


@pytest.mark.slow
def test_yaml_and_json_of_a_cluster_render_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(YAML_PODS, tmp_path / "cluster.json")
    write_yaml(YAML_PODS, tmp_path / "cluster.yaml")
    from_json, from_yaml = (rendered(str(tmp_path / name), capsys) for name in ("cluster.json", "cluster.yaml"))
    assert from_json == from_yaml
    assert (
        len(members(from_json["milan-connectivity"], "vc_remote"))
        == cluster.expected_members(YAML_PODS)["milan", "vc-remote"]
    )


def test_a_policy_of_12_000_products_is_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """200 namespaces, each beside 60 CIDRs: a base chain that gathers them for Liqo, and a rule for each for nft."""
    namespaces, cidrs = 200, 60
    rules = [Rule("allow", Party("remote-cluster"), Party(namespace=f"ns{number}")) for number in range(namespaces)]
    described = large([*rules, Rule("deny", Party("remote-cluster"), None)], namespaces, cidrs=cidrs)
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects(described))}), "utf-8")
    assert namespaces * cidrs > MAX_CHAIN_RULES
    assert run(["render", "-f", str(file), "-o", "json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    # The rule for established connections, three guards, the namespaces and the deny.
    written = {chain["name"]: len(chain["rules"]["filterRules"]) for chain in item["spec"]["table"]["chains"]}
    assert written == {"from-1": 6}
    assert run(["render", "-f", str(file), "-o", "nft"]) == 0
    # The rule for established connections, one for each namespace, and the deny.
    assert len(nft.objects(nft.load_script(capsys.readouterr().out), "rule")) == namespaces + 2
