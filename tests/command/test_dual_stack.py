"""Pods of two families named by name: each pair of addresses has its answer, and a certificate holds them all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.case_folder import CASES
from tests.support.case_folder import load as load_case
from tests.support.certificates import call


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The facts of a cluster with dual-stack pods, and a policy that tells the families apart."""
    folder = tmp_path_factory.mktemp("dual")
    for name, content in load_case(CASES / "dual-stack-pods-by-name").inputs().items():
        (folder / name).write_bytes(content)
    path = tmp_path_factory.mktemp("facts") / "facts.jsonl"
    path.write_text(call("facts", "dump", "-f", str(folder))[1])
    return str(path)


def _why(facts: str, destination: str) -> Any:
    return json.loads(call("why", "shop/far-0", destination, "-f", facts, "--enforcer", "nftables", "-o", "json")[1])


def _verified(document: Any, facts: str, folder: Path) -> int:
    (folder / "why.json").write_text(json.dumps(document))
    return call("verify", str(folder / "why.json"), "--facts", facts)[0]


@pytest.mark.parametrize("destination", ["shop/dual-1:443/tcp", "shop/dual-0:443/tcp", "shop/dual-0", "shop/dual-1"])
def test_a_certificate_holds_every_pair_of_addresses(destination: str, facts: str, tmp_path: Path) -> None:
    document = _why(facts, destination)
    pairs = [(document["source"]["address"], document["destination"]["address"])]
    pairs += [(other["source"], other["destination"]) for other in document["otherPairs"]]
    assert sorted(tuple(":" in address for address in pair) for pair in pairs) == [(False, False), (True, True)]
    assert _verified(document, facts, tmp_path) == 0


@pytest.mark.parametrize(("destination", "code"), [("shop/dual-1:443/tcp", 3), ("shop/dual-0:443/tcp", 0)])
def test_without_the_other_pairs_only_a_denial_is_shown(
    destination: str, code: int, facts: str, tmp_path: Path
) -> None:
    document = _why(facts, destination)
    del document["otherPairs"], document["steps"]
    assert _verified(document, facts, tmp_path) == code


def _claim_the_other(document: Any) -> None:
    (other,) = document["otherPairs"]
    top = {name: other.pop(name) for name in ("verdict", "peerings", "unknown")}
    other.update({name: document[name] for name in top})
    document.update(top)
    for side in ("source", "destination"):
        document[side]["address"], other[side] = other[side], document[side]["address"]


def _count_otherwise(document: Any) -> None:
    document["pairs"] = {"allowed": 0, "denied": 2, "unknown": 0}


def _say_twice(document: Any) -> None:
    document["otherPairs"] *= 2
    document["pairs"]["allowed"] = 2


def _cross(document: Any) -> None:
    document["otherPairs"][0]["destination"] = document["destination"]["address"]


def _rest_on_nothing(document: Any) -> None:
    document["otherPairs"][0]["peerings"][0]["proof"]["root"] = len(document["steps"])


def _rest_on_another(document: Any) -> None:
    document["otherPairs"][0]["peerings"][0]["proof"]["root"] += 1


def _add(document: Any) -> None:
    document["steps"].append({**document["steps"][-1], "step": len(document["steps"])})


@pytest.mark.parametrize(
    ("forge", "pointer"),
    [
        (_claim_the_other, "/verdict"),
        (_count_otherwise, "/pairs"),
        (_say_twice, "/otherPairs"),
        (_cross, "/otherPairs/0/peerings/0/proof"),
        (_rest_on_nothing, "/steps/0"),
        (_rest_on_another, "/steps/0"),
        (_add, "/steps/"),
    ],
)
def test_a_forged_pair_is_rejected(forge: Callable[[Any], None], pointer: str, facts: str, tmp_path: Path) -> None:
    document = _why(facts, "shop/dual-0:443/tcp")
    assert (document["verdict"], document["otherPairs"][0]["verdict"]) == ("denied", "allowed")
    forge(document)
    (tmp_path / "why.json").write_text(json.dumps(document))
    code, text = call("verify", str(tmp_path / "why.json"), "--facts", facts, "-o", "json")
    found = json.loads(text)
    assert (code, found["result"]) == (5, "rejected")
    assert found["node"].startswith(pointer), found


def test_pods_without_a_family_in_common_have_no_answer(facts: str) -> None:
    assert call("why", "ip:fd00:71::9", "infra/dns-0", "-f", facts)[0] == 2


def test_why_not_says_so_of_each_pair(facts: str) -> None:
    code, text = call("why-not", "shop/far-0", "shop/dual-0:443/tcp", "-f", facts, "--enforcer", "nftables")
    assert code == 0
    line = '10.71.2.43 -> 10.244.1.43: allowed by rule 1 "tls"; the rest is about the pair above'
    assert line in text.splitlines()
