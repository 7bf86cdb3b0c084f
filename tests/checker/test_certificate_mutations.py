"""Whatever is changed in a certificate, it is rejected, and the first bad node is named."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from liqo_connectivity import checker
from tests.support.certificates import RULES, SCHEMA, certificate, derives, facts, first, nodes, states, use


def steps_of(d: Any) -> list[Any]:
    steps: list[Any] = d["peerings"][0]["proof"]["steps"]
    return steps


def use_of(d: Any, node: Any) -> str:
    """The first place that names a step: there its tuple is seen not to be the one that is needed."""
    return f"/peerings/0/proof{use(steps_of(d), node['step'])[0]}"


def swap_premises(d: Any) -> str:
    place, node = first(d, derives("matches"))
    node["premises"].reverse()
    return f"{place}/premises/0"


def change_a_row(d: Any) -> str:
    _, node = first(d, states("policy_party_group"))
    node["row"][3] = "vc-local"
    return use_of(d, node)


def drop_a_leaf(d: Any) -> str:
    place, node = first(d, derives("party_group"))
    node["premises"].pop()
    return place


def forge_a_fact(d: Any) -> str:
    """A derived tuple is claimed to be a fact."""
    place, node = first(d, derives("party_group"))
    del node["rule"], node["premises"]
    node |= {"height": 0, "sources": first(d, lambda n: "sources" in n and n["sources"])[1]["sources"]}
    return str(place)


def forge_a_leaf(d: Any) -> str:
    """Both the leaf and all that follows from it say the same, only the facts do not."""
    d["peerings"] = json.loads(json.dumps(d["peerings"]).replace("infra/dns-0", "infra/dns-9"))
    return first(d, lambda n: "sources" in n and "infra/dns-9" in n["row"])[0]


def invent_a_rule(d: Any) -> str:
    place, node = first(d, derives("peering_verdict"))
    node["rule"]["text"] = node["rule"]["text"].replace(":-", ':- "a" = "a",')
    return place


def point_to_another_rule(d: Any) -> str:
    place, node = first(d, derives("matches"))
    node["rule"]["line"] += 1
    return place


def use_another_rule(d: Any) -> str:
    place, node = first(d, derives("side_matches"))
    node["rule"] = first(d, derives("in_group"))[1]["rule"]
    return place


def leave_a_peering_out(d: Any) -> str:
    d["peerings"].clear()
    d["verdict"], d["pairs"] = "allowed", {"allowed": 1, "denied": 0, "unknown": 0}
    return "/peerings"


def name_a_peering_twice(d: Any) -> str:
    d["peerings"] *= 2
    return "/peerings"


def claim_another_verdict(d: Any) -> str:
    d["verdict"], d["pairs"] = "allowed", {"allowed": 1, "denied": 0, "unknown": 0}
    return "/peerings/0/verdict"


def claim_another_verdict_everywhere(d: Any) -> str:
    text = (
        json.dumps(d)
        .replace('"denied"', '"allowed"')
        .replace('"allowed": 0, "allowed": 1', '"allowed": 1, "denied": 0')
    )
    d.clear()
    d |= json.loads(text)
    return "/peerings/0/proof/steps/0"


def claim_another_decision(d: Any) -> str:
    d["peerings"][0]["decidedBy"]["index"] = 0
    return "/peerings/0/decidedBy"


def claim_another_policy(d: Any) -> str:
    d["peerings"][0]["policy"] = "liqo-tenant-milan/other"
    return "/peerings/0/policy"


def claim_another_address(d: Any) -> str:
    d["source"]["address"] = "10.71.2.99"
    return "/source/address"


def ask_another_question(d: Any) -> str:
    d["state"] = "established"
    return first(d, states("flow"))[0]


def deny_a_presence(d: Any) -> str:
    place, node = first(d, lambda n: "absent" in n)
    node["absent"]["row"] = [None for _ in node["absent"]["row"]]
    return place


def tell_an_untruth(d: Any) -> str:
    place, node = first(d, lambda n: "holds" in n)
    node["holds"] = "1 = 1"
    return place


def understate_a_height(d: Any) -> str:
    steps_of(d)[0]["height"] -= 1
    return "/peerings/0/proof/steps/0"


def cite_another_object(d: Any) -> str:
    place, node = first(d, states("policy_action"))
    node["sources"][0]["resourceVersion"] = "3"
    return place


def cite_nothing(d: Any) -> str:
    place, node = first(d, states("policy_action"))
    node["sources"].clear()
    return place


def support_itself(d: Any) -> str:
    """A step is used, further down, to prove itself."""
    _, node = first(d, derives("candidate"))
    place, below = first(d, derives("tenant_namespace"))
    below["premises"][0] = node["step"]
    return f"{place}/premises/0"


def dress_up_a_forgery(d: Any) -> str:
    """A tuple that is not proved also says something that is true."""
    place, node = first(d, derives("party_group"))
    del node["rule"], node["premises"]
    node |= {"height": 0, "sources": [], "holds": "1 = 1"}
    return f"{place}/holds"


def put_a_fact_below_a_rule(d: Any) -> str:
    """A step that is not derivable claims to be a fact as well."""
    place, node = first(d, derives("party_group"))
    node["sources"] = first(d, states("policy_action"))[1]["sources"]
    return f"{place}/sources"


def add_a_reason(d: Any) -> str:
    d["unknown"].append({"object": "Pod a/b", "reason": "ObjectUnreadable", "detail": "it is not YAML"})
    return "/unknown/0"


MUTATIONS = [
    swap_premises,
    change_a_row,
    drop_a_leaf,
    forge_a_fact,
    forge_a_leaf,
    invent_a_rule,
    point_to_another_rule,
    use_another_rule,
    leave_a_peering_out,
    name_a_peering_twice,
    claim_another_verdict,
    claim_another_verdict_everywhere,
    claim_another_decision,
    claim_another_policy,
    claim_another_address,
    ask_another_question,
    deny_a_presence,
    tell_an_untruth,
    understate_a_height,
    cite_another_object,
    cite_nothing,
    support_itself,
    dress_up_a_forgery,
    put_a_fact_below_a_rule,
    add_a_reason,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_wrong_certificate_is_rejected(mutate: Callable[[Any], str]) -> None:
    document = certificate("denied")
    expected = mutate(document)
    with pytest.raises(checker.RejectedError) as caught:
        checker.check(document, RULES, facts(), SCHEMA)
    assert caught.value.pointer == expected, caught.value


UNCHECKED = ("/destination/port", "/destination/protocol")
"""What is only repeated from the question."""


def values(document: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every text, number and null of a document: its pointer, what holds it, and under which key."""
    for place, node in nodes(document):
        for key, value in node.items():
            yield from _values(f"{place}/{key}", node, key, value)


def _values(place: str, holder: Any, key: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _values(f"{place}/{number}", value, number, inside)
    elif not isinstance(value, dict):
        yield place, holder, key


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ["denied", "allowed"])
def test_no_value_can_be_changed(name: str, part: int) -> None:
    """Whatever stands anywhere in a certificate is checked; of the many alike in the proof, every twelfth."""
    document = certificate(name)
    every = [found for found in values(document) if found[0] not in UNCHECKED]
    chosen = [f for n, f in enumerate(every) if "/steps/" not in f[0] or n % 12 == part * 3]
    assert len(chosen) > 40
    for place, holder, key in chosen if part == 0 else [f for f in chosen if "/steps/" in f[0]]:
        old = holder[key]
        holder[key] = 7 if old is None else old + 1 if isinstance(old, int) else f"{old}x"
        with pytest.raises(checker.RejectedError):
            pytest.fail(f"{place}: {checker.check(document, RULES, facts(), SCHEMA)}")
        holder[key] = old
    checker.check(document, RULES, facts(), SCHEMA)


def fields(document: Any) -> Iterator[tuple[str, Any, str]]:
    """Every field of what belongs to a proof, with what holds it."""
    proof = document["peerings"][0]["proof"]
    return ((f"{place}/{name}", node, name) for place, node in nodes(proof) for name in list(node))


@pytest.mark.parametrize("part", range(4))
def test_no_field_of_a_proof_can_be_left_out(part: int) -> None:
    document = certificate("denied")
    every = list(fields(document))
    assert {name for _, _, name in every} >= {"minimal", "steps", "step", "premises", "witnesses", "absent", "sources"}
    for place, holder, name in every[part::16]:
        old = copy.copy(holder)
        del holder[name]
        with pytest.raises(checker.RejectedError):
            pytest.fail(f"{place}: {checker.check(document, RULES, facts(), SCHEMA)}")
        holder |= old
    checker.check(document, RULES, facts(), SCHEMA)


@pytest.mark.parametrize(
    "document",
    [None, [], 1, "x", {}, {"schemaVersion": 1, "verdict": "denied"}, {"schemaVersion": 2, "verdict": "no"}],
)
def test_what_is_no_answer_is_rejected(document: object) -> None:
    with pytest.raises(checker.RejectedError):
        checker.check(document, RULES, facts(), SCHEMA)
