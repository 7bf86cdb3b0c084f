"""Whatever somebody makes of a certificate, checking it takes little, never falls over and never accepts a wrong one."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from liqo_connectivity import checker
from liqo_connectivity.checker.schema import UNDERSTOOD
from tests.support.case_folder import CASES, load
from tests.support.certificates import FLOWS, RULES, SCHEMA, certificate, dump, facts, nodes
from tests.support.certificates import call as run
from tests.support.genuine_answers import refused

BOMBS: tuple[Callable[[int], str], ...] = (
    lambda n: f"a(X) :- {', '.join(['(b(X); c(X))'] * n)}.",
    lambda n: f"a(X) :- 1 = count : {{ {', '.join(['(b(X); c(X))'] * n)} }}.",
    lambda n: f"a(X) :- {'(' * n}b(X){')' * n}.",
    lambda n: f"a(X) :- X = {'(' * n}1{')' * n}.",
    lambda n: f"a(X) :- X = {' + '.join(['1'] * n)}.",
    lambda n: f"a(X) :- X = {'9' * n}.",
    lambda n: f"a(X) :- X = -{'9' * n}.",
    lambda n: f"a({'@f(' * n}X{')' * n}) :- b(X).",
    lambda n: f"a(X) :- {'1 = count : { ' * n}b(X){' }' * n}.",
    lambda n: f"{', '.join(['a(X)'] * n)} :- b(X).",
    lambda n: "/*" * n,
    lambda n: '"' + "\\" * n,
    lambda n: "a" * n,
)
"""Texts whose meaning is much larger than they are, or that nest deep, or that no reader expects."""
POOL: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 10**40, "", "x", "\ud800", "\0", [], [[]], {}, {"step": 0}, [None], "allowed", "unknown",
    "Pod shop/web-0", "ip:::ffff:10.0.0.1", "::ffff:10.0.0.1",
)  # fmt: skip


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every member and item of a document: what holds it, and its key."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        node = pending.pop()
        keys = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in keys:
            found.append((node, key))
            pending.append(value)
    return found


def change(document: Any, rng: Random) -> None:
    """Change one thing anywhere in a document."""
    every = places(document)
    holder, key = rng.choice(every)
    match rng.randrange(7):
        case 0:
            holder[key] = rng.choice(POOL)
        case 1:
            del holder[key]
        case 2:
            other, place = rng.choice(every)
            holder[key] = json.loads(json.dumps(other[place]))
        case 3:
            other, place = rng.choice(every)
            holder[key], other[place] = json.loads(json.dumps(other[place])), json.loads(json.dumps(holder[key]))
        case 4 if isinstance(holder, dict):
            holder[rng.choice(["x", "note", *FLOWS, "alternatives", "port"])] = rng.choice(POOL)
        case 4 | 5 if isinstance(holder[key], str):
            text = holder[key]
            place = rng.randrange(len(text) + 1)
            holder[key] = (
                text[:place] + rng.choice(["x", "(", "}", '"', ";", ",", ".", "0", "-", ""]) + text[place + 1 :]
            )
        case _:
            text = rng.choice(BOMBS)(rng.choice((3, 30, 1000)))
            holder[key] = text
            rules = [node["rule"] for _, node in nodes(document) if isinstance(node.get("rule"), dict)]
            if rules:
                rng.choice(rules)["text"] = text


def damage(text: str, rng: Random) -> str:
    """Change a few characters of JSON, or write a member of an object twice."""
    place = rng.randrange(len(text))
    if rng.random() < 0.3:
        member = text.find('"', place)
        return text[:member] + f'"step": {rng.choice(["0", "1.0", "1e3", "NaN", "true"])}, ' + text[member:]
    return text[:place] + rng.choice(["", "{", "[" * 5000, '"', "1.5", "-", "\\u0000", "9" * 5000]) + text[place + 1 :]


def judged(text: str, known: checker.SourcedFacts | None = None) -> checker.Checked | None:
    """Give what a certificate is found to say, ``None`` if it is refused in one of the ways that are foreseen."""
    try:
        return checker.check(checker.read_certificate(text), RULES, known or facts(), SCHEMA)
    except (checker.RejectedError, checker.NotShownError):
        return None


@cache
def truth(name: str) -> checker.Checked | None:
    return judged(json.dumps(certificate(name)))


@pytest.mark.parametrize("name", ["denied", "allowed", "ungoverned", "group-denied"])
@pytest.mark.parametrize("seed", range(3))
def test_a_changed_certificate_is_refused_or_says_what_the_first_one_said(seed: int, name: str) -> None:
    rng = Random(f"{seed} {name}")
    for _ in range(12):
        document = certificate(name)
        for _ in range(rng.choice((1, 1, 2, 5))):
            change(document, rng)
        text = json.dumps(document)
        found = judged(damage(text, rng) if rng.random() < 0.3 else text)
        assert found is None or (found.verdict, found.source, found.destination, found.peerings) == said(name), text


@pytest.mark.parametrize("seed", range(2))
def test_a_changed_certificate_of_ports_and_pairs_is_refused_or_says_what_the_first_one_said(
    seed: int, tmp_path: Path
) -> None:
    for name, content in load(CASES / "dual-stack-pods-by-name").inputs().items():
        (tmp_path / name).write_bytes(content)
    given = ("-f", str(tmp_path))
    known = checker.read_facts(run("facts", "dump", *given)[1].splitlines(keepends=True), RULES)
    text = run("why", "shop/far-0", "shop/dual-0", *given, "--enforcer", "nftables", "-o", "json")[1]
    genuine = judged(text, known)
    assert genuine is not None
    assert {"ports", "otherPairs", "steps", "enforcer"} <= set(json.loads(text))
    rng = Random(seed)
    for _ in range(8):
        document = json.loads(text)
        for _ in range(rng.choice((1, 1, 2))):
            change(document, rng)
        found = judged(json.dumps(document), known)
        assert _says(found) in (None, _says(genuine)), document


def _says(found: checker.Checked | None) -> tuple[object, ...] | None:
    return None if found is None else (found.verdict, found.source, found.destination, found.peerings)


def said(name: str) -> tuple[object, ...]:
    found = truth(name)
    assert found is not None
    return found.verdict, found.source, found.destination, found.peerings


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
