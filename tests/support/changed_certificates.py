"""Certificates that somebody has changed: in their values, in their texts, or in their bytes. Holds no test."""

import json
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from liqo_connectivity import checker
from tests.support.certificates import FLOWS, RULES, SCHEMA, certificate, facts, nodes

CHANGED = ("denied", "allowed", "ungoverned", "group-denied")
"""The certificates that are changed, by the names of their flows."""
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


def judged(text: str) -> checker.Checked | None:
    """Give what a certificate is found to say, ``None`` if it is refused in one of the ways that are foreseen."""
    try:
        return checker.check(checker.read_certificate(text), RULES, facts(), SCHEMA)
    except (checker.RejectedError, checker.NotShownError):
        return None


@cache
def truth(name: str) -> checker.Checked | None:
    return judged(json.dumps(certificate(name)))


def said(name: str) -> tuple[object, ...]:
    found = truth(name)
    assert found is not None
    return found.verdict, found.source, found.destination, found.peerings


def accepted(seed: int, name: str) -> list[str]:
    """The changed certificates of a seed that are accepted although they say something else than the first one."""
    rng = Random(f"{seed} {name}")
    wrong: list[str] = []
    for _ in range(12):
        document = certificate(name)
        for _ in range(rng.choice((1, 1, 2, 5))):
            change(document, rng)
        text = json.dumps(document)
        found = judged(damage(text, rng) if rng.random() < 0.3 else text)
        if found is not None and (found.verdict, found.source, found.destination, found.peerings) != said(name):
            wrong.append(text)
    return wrong


def wrongly_accepted(seed: int) -> list[str]:
    """As ``accepted``, for every certificate that is changed."""
    return [text for name in CHANGED for text in accepted(seed, name)]
