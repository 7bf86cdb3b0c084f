"""Whatever somebody makes of a certificate, checking it takes little, never falls over and never accepts a wrong one."""

import json
from typing import Any

import pytest

from liqo_connectivity import checker
from liqo_connectivity.checker.schema import UNDERSTOOD
from tests.support.certificates import RULES, SCHEMA, certificate, dump, facts, nodes
from tests.support.certificates import call as run
from tests.support.changed_certificates import BOMBS, CHANGED, accepted
from tests.support.genuine_answers import refused


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("seed", range(3))
def test_a_changed_certificate_is_refused_or_says_what_the_first_one_said(seed: int, name: str) -> None:
    assert accepted(seed, name) == []


@pytest.mark.parametrize("seed", range(10))
def test_genuine_answers_about_random_clusters_with_services_hold(seed: int) -> None:
    assert refused(seed) == []


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_a_rule_text_costs_no_more_than_its_length(number: int) -> None:
    document = certificate("denied")
    document["peerings"][0]["proof"]["steps"][0]["rule"]["text"] = BOMBS[number](3000)
    with pytest.raises(checker.RejectedError, match="the trusted rules do not hold its rule") as caught:
        checker.check(document, RULES, facts(), SCHEMA)
    assert caught.value.pointer == "/peerings/0/proof/steps/0"


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_a_comparison_costs_no_more_than_its_length(number: int) -> None:
    document = certificate("denied")
    holds = [node for _, node in nodes(document) if "holds" in node]
    holds[0]["holds"] = BOMBS[number](3000).partition(" :- ")[2] or BOMBS[number](3000)
    with pytest.raises(checker.RejectedError):
        checker.check(document, RULES, facts(), SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nul",
        "[" * 100_000,
        '{"a": ' * 100_000,
        "9" * 5000,
        "1.0",
        "NaN",
        "-Infinity",
        '{"a": 1, "a": 1}',
        "\ufeff{}",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_certificate_is_rejected(text: str) -> None:
    with pytest.raises(checker.RejectedError):
        checker.check(checker.read_certificate(text), RULES, facts(), SCHEMA)


def test_a_truth_value_is_no_number_and_a_list_no_text() -> None:
    for place, value in ((("decidedBy", "index"), True), (("decidedBy", "index"), 1.0), (("peering",), ["milan"])):
        document = certificate("denied")
        holder = document["peerings"][0]
        for name in place[:-1]:
            holder = holder[name]
        holder[place[-1]] = value
        with pytest.raises(checker.RejectedError) as caught:
            checker.check(document, RULES, facts(), SCHEMA)
        assert caught.value.pointer == "/".join(["/peerings/0", *place])
    document = certificate("denied")
    document["unknown"] = [{"object": ["x"], "reason": "R", "detail": ""}]
    with pytest.raises(checker.RejectedError, match="a text is needed here"):
        checker.check(document, RULES, facts(), SCHEMA)


def test_an_end_names_its_namespace() -> None:
    code, text = run("why", "web-0", "web-2", "-n", "shop", "-f", str(dump()), "-o", "json")
    assert code == 0
    document = json.loads(text)
    assert (document["source"]["endpoint"], document["destination"]["endpoint"]) == ("shop/web-0", "shop/web-2")
    assert checker.check(document, RULES, facts(), SCHEMA).verdict == "allowed"
    document["source"]["endpoint"] = "web-0"
    with pytest.raises(checker.RejectedError) as caught:
        checker.check(document, RULES, facts(), SCHEMA)
    assert caught.value.pointer == "/source/address"


def test_the_checker_understands_every_keyword_of_the_published_schema() -> None:
    found: set[str] = set()

    def walk(schema: Any) -> None:
        if not isinstance(schema, dict):
            return
        found.update(schema)
        for name, value in schema.items():
            if name in ("properties", "$defs"):
                for inner in value.values():
                    walk(inner)
            elif name in ("items", "if", "then", "else", "contains"):
                walk(value)
            elif name in ("oneOf", "anyOf", "prefixItems"):
                for inner in value:
                    walk(inner)

    walk(SCHEMA)
    assert found <= UNDERSTOOD
