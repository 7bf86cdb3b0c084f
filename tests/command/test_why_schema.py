"""The published form of an answer: real answers fit the schema, and wrong ones do not."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support import transcript
from tests.support.checkout import ROOT

Document: TypeAlias = dict[str, Any]

SCHEMA: Document = json.loads(
    files("liqo_connectivity.operator.explain").joinpath("why.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = ("consumer", "provider", "multi-provider")
DENIED = "infra/metrics-0 shop/web-0:8080/tcp -f examples/consumer"
WITHOUT_NETWORKS = " ".join(f"-f examples/consumer/{name}.yaml" for name in ("cluster", "pods", "policy"))
QUESTIONS = (
    DENIED,
    "shop/web-2 shop/web-0:8080/tcp -f examples/consumer",
    "web-2 web-0 -n shop -f examples/consumer",
    "shop/web-2 shop/cart-0 -f examples/consumer",
    "shop/web-2 shop/web-3 -f examples/consumer",
    "infra/metrics-0 liqo/liqo-ipam-5f5dfb9464-k5zqh -f examples/consumer",
    "ip:10.71.9.9 shop/db-0 --state established -f examples/consumer",
    "ip:2001:db8::1 ip:2001:db8::2 -f examples/consumer",
    "group:vc-remote@milan group:local-cluster@milan -f examples/consumer",
    "group:local-cluster@milan group:private-subnets@milan -f examples/consumer",
    f"shop/web-2 shop/web-0 {WITHOUT_NETWORKS}",
    "group:offloaded@rome group:offloaded@rome -f examples/provider",
    "shop/web-0 shop/cache-0 -f examples/multi-provider",
    "shop/cache-0 shop/db-0:6379/udp -f examples/multi-provider",
)


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@cache
def _text(question: str) -> str:
    """The answer as it is printed; what goes to stderr stands before it, a line each."""
    lines = transcript.execute(f"liqo-connectivity why -o json {question}".split()).lines
    return "\n".join(lines[lines.index("{") :])


def answer(question: str) -> Document:
    document: Document = json.loads(_text(question))
    return document


def every_object(schema: object) -> Iterator[Document]:
    """Every part of the schema that describes an object's fields."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema and "required" in schema:
            yield schema
        for part in schema.values():
            yield from every_object(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from every_object(part)


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_is_closed_and_every_field_is_described() -> None:
    found = list(every_object(SCHEMA))
    assert len(found) >= 12
    for part in found:
        assert part["additionalProperties"] is False
        for name, field in part["properties"].items():
            target = SCHEMA["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else field
            assert "description" in field or "description" in target, name


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_fits(question: str) -> None:
    VALIDATOR.validate(answer(question))


def test_questions_have_all_answers() -> None:
    found = [answer(question) for question in QUESTIONS]
    assert {document["verdict"] for document in found} == {"allowed", "denied", "unknown"}
    decisions = {peering["decidedBy"]["kind"] for document in found for peering in document["peerings"]}
    assert decisions == {"rule", "default", "established"}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_answers_about_an_example_fit(name: str) -> None:
    pods = [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in yaml.safe_load_all(Path("examples", name, "pods.yaml").read_text("utf-8"))
    ]
    for source, destination in zip(pods[::3], [*pods[7:], *pods[:7]][::3], strict=True):
        VALIDATOR.validate(answer(f"{source} {destination} -f examples/{name}"))


def test_the_first_match_names_the_rules_that_it_passes_over() -> None:
    found = _aggregated(answer(DENIED))
    (peering,) = answer(DENIED)["peerings"]
    assert found["kind"] == "min"
    assert found["value"] == peering["decidedBy"]["index"]
    assert found["passedOver"] == list(range(found["value"]))
    ((number,),) = found["witnesses"]
    witness = _steps(answer(DENIED))[number]
    assert (witness["relation"], witness["row"][1]) == ("matches", found["value"])


def test_yaml_holds_the_same_answer() -> None:
    lines = transcript.execute(f"liqo-connectivity why -o yaml {DENIED}".split()).lines
    assert yaml.safe_load("\n".join(lines)) == answer(DENIED)


def _fact(document: Document) -> Document:
    return next(step for step in _steps(document) if "sources" in step)


def _premise(document: Document, kind: str) -> Document:
    """The first premise that is no number."""
    found = (premise for step in _steps(document) for premise in step.get("premises", ()))
    return next(premise for premise in found if isinstance(premise, dict) and kind in premise)


def _aggregated(document: Document) -> Document:
    """The premise that says which rule is the first that matches."""
    found: Document = _premise(document, "aggregated")["aggregated"]
    return found


def _steps(document: Document) -> list[Document]:
    steps: list[Document] = _proof(document)["steps"]
    return steps


def _proof(document: Document) -> Document:
    proof: Document = document["peerings"][0]["proof"]
    return proof


WRONG: dict[str, Callable[[Document], object]] = {
    "no verdict": lambda d: d.pop("verdict"),
    "another verdict": lambda d: d.update(verdict="maybe"),
    "an unknown field": lambda d: d.update(colour="red"),
    "another version": lambda d: d.update(schemaVersion=1),
    "denied by nobody": lambda d: d.update(peerings=[]),
    "allowed, but a peering denies": lambda d: d.update(verdict="allowed"),
    "unknown without a reason": lambda d: d.update(verdict="unknown"),
    "a port without protocol": lambda d: d["destination"].pop("protocol"),
    "a port that is none": lambda d: d["destination"].update(port=65536),
    "a source with a port": lambda d: d["source"].update(port=1, protocol="tcp"),
    "no decision": lambda d: d["peerings"][0].update(decidedBy=None),
    "a rule without index": lambda d: d["peerings"][0]["decidedBy"].update(index=None),
    "a built-in with index": lambda d: d["peerings"][0]["decidedBy"].update(kind="default"),
    "a policy without namespace": lambda d: d["peerings"][0].update(policy="milan"),
    "an unknown object without reason": lambda d: d.update(unknown=[{"object": "Pod a/b", "detail": ""}]),
    "a proof that is a step": lambda d: d["peerings"][0].update(proof=_steps(d)[0]),
    "a proof without steps": lambda d: _steps(d).clear(),
    "a proof that is no list": lambda d: _proof(d).update(steps=_steps(d)[0]),
    "a proof that does not say if it is minimal": lambda d: _proof(d).pop("minimal"),
    "a proof that is a fact": lambda d: _proof(d).update(steps=[_fact(d)]),
    "a step without its number": lambda d: _steps(d)[1].pop("step"),
    "a premise of no kind": lambda d: _steps(d)[0]["premises"].append({}),
    "a premise below zero": lambda d: _steps(d)[0]["premises"].append(-1),
    "a premise of two kinds": lambda d: _premise(d, "absent").update(holds="1 = 1"),
    "a premise that is a step": lambda d: _steps(d)[0]["premises"].append(_fact(d)),
    "a derived tuple without rule": lambda d: _steps(d)[0].pop("rule"),
    "a fact with a height": lambda d: _fact(d).update(height=1),
    "an aggregate without its value": lambda d: _aggregated(d).pop("value"),
    "an aggregate of no kind": lambda d: _aggregated(d).update(kind="mean"),
    "a witness that is no list": lambda d: _aggregated(d)["witnesses"].append({}),
    "a symbol passed over": lambda d: _aggregated(d)["passedOver"].append("0"),
    "a source without its object": lambda d: _fact(d)["sources"].append({"field": "/a", "value": 1}),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answer_does_not_fit(name: str) -> None:
    document = answer(DENIED)
    VALIDATOR.validate(document)
    WRONG[name](document)
    assert not VALIDATOR.is_valid(document)
