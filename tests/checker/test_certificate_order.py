"""The list of a certificate's steps: each is numbered, used, and rests on later ones only."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from liqo_connectivity import checker
from tests.support.certificates import RULES, SCHEMA, certificate, derives, facts, first, renumbered, states, use

PROOF = "/peerings/0/proof"


def name_a_step_that_is_not_there(proof: Any) -> str:
    place, node = first(proof, derives("party_group"))
    node["premises"][1] = len(proof["steps"])
    return f"{place}/premises/1"


def name_a_negative_step(proof: Any) -> str:
    """The last of the list, to Python."""
    place, premises, index = use(proof["steps"], len(proof["steps"]) - 1)
    premises[index] = -1
    return place


def name_a_step_by_a_truth_value(proof: Any) -> str:
    proof["steps"][0]["premises"][0] = True
    return "/steps/0/premises/0"


def rest_on_itself(proof: Any) -> str:
    place, node = first(proof, derives("candidate"))
    node["premises"][0] = node["step"]
    return f"{place}/premises/0"


def rest_on_each_other(proof: Any) -> str:
    """The lower step of a pair names the upper one."""
    upper, lower = first(proof, derives("governing"))[1], first(proof, derives("candidate"))[1]
    assert lower["step"] in upper["premises"]
    lower["premises"][0] = upper["step"]
    return f"/steps/{lower['step']}/premises/0"


def name_a_step_by_what_it_holds(proof: Any) -> str:
    """The nested form of before."""
    place, node = first(proof, derives("party_group"))
    node["premises"][1] = proof["steps"][node["premises"][1]]
    return f"{place}/premises/1"


def put_a_number_where_nothing_was_found(proof: Any) -> str:
    place, node = first(proof, derives("governing"))
    index = next(n for n, premise in enumerate(node["premises"]) if isinstance(premise, dict))
    node["premises"][index] = len(proof["steps"]) - 1
    return f"{place}/premises/{index}"


def say_more_than_one_thing(proof: Any) -> str:
    place, premise = first(proof, lambda n: "absent" in n)
    premise["holds"] = "1 = 1"
    return f"{place}/holds"


def number_a_step_wrongly(proof: Any) -> str:
    proof["steps"][3]["step"] = 2
    return "/steps/3"


def number_a_step_by_a_text(proof: Any) -> str:
    proof["steps"][3]["step"] = "3"
    return "/steps/3/step"


def leave_a_step_out(proof: Any) -> str:
    proof["steps"].pop(5)
    return "/steps/5"


def leave_the_root_out(proof: Any) -> str:
    """What is left is a good proof, of something else."""
    proof["steps"] = renumbered(proof["steps"], list(range(1, len(proof["steps"]))))
    return ""


def start_elsewhere(proof: Any) -> str:
    """The root is the last of the list."""
    proof["steps"] = renumbered(proof["steps"], [*range(1, len(proof["steps"])), 0])
    return f"/steps/{len(proof['steps']) - 1}"


def turn_round(proof: Any) -> str:
    """A fact is the first step, which only a derived tuple can be."""
    proof["steps"] = renumbered(proof["steps"], list(reversed(range(len(proof["steps"])))))
    return "/steps/0"


def put_a_premise_above(proof: Any) -> str:
    """Two steps change places, and one rests on the other."""
    order = list(range(len(proof["steps"])))
    upper, lower = first(proof, derives("governing"))[1]["step"], first(proof, derives("candidate"))[1]["step"]
    order[upper], order[lower] = lower, upper
    proof["steps"] = renumbered(proof["steps"], order)
    return f"/steps/{upper}"


def add_a_step_that_nothing_needs(proof: Any) -> str:
    """It is true."""
    policy = copy.deepcopy(first(proof, states("policy"))[1])
    proof["steps"].append({**policy, "step": len(proof["steps"])})
    return f"/steps/{len(proof['steps']) - 1}"


def prove_something_twice(proof: Any) -> str:
    """Both steps are right, and both are used."""
    _, flow = first(proof, states("flow"))
    last = len(proof["steps"])
    proof["steps"].append({**copy.deepcopy(flow), "step": last})
    users = [step for step in proof["steps"] if flow["step"] in step.get("premises", [])]
    assert len(users) > 1
    users[1]["premises"][users[1]["premises"].index(flow["step"])] = last
    return f"/steps/{last}"


def leave_minimal_out(proof: Any) -> str:
    del proof["minimal"]
    return ""


def say_minimal_in_words(proof: Any) -> str:
    proof["minimal"] = "true"
    return "/minimal"


def add_a_field(proof: Any) -> str:
    proof["root"] = 0
    return "/root"


def add_a_field_to_a_step(proof: Any) -> str:
    proof["steps"][2]["note"] = ""
    return "/steps/2/note"


def hold_no_step(proof: Any) -> str:
    proof["steps"].clear()
    return "/steps"


MUTATIONS = [
    name_a_step_that_is_not_there,
    name_a_negative_step,
    name_a_step_by_a_truth_value,
    rest_on_itself,
    rest_on_each_other,
    name_a_step_by_what_it_holds,
    put_a_number_where_nothing_was_found,
    say_more_than_one_thing,
    number_a_step_wrongly,
    number_a_step_by_a_text,
    leave_a_step_out,
    leave_the_root_out,
    start_elsewhere,
    turn_round,
    put_a_premise_above,
    add_a_step_that_nothing_needs,
    prove_something_twice,
    leave_minimal_out,
    say_minimal_in_words,
    add_a_field,
    add_a_field_to_a_step,
    hold_no_step,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_list_in_disorder_is_rejected(mutate: Callable[[Any], str]) -> None:
    document = certificate("denied")
    expected = PROOF + mutate(document["peerings"][0]["proof"])
    with pytest.raises(checker.RejectedError) as caught:
        checker.check(document, RULES, facts(), SCHEMA)
    assert caught.value.pointer == expected, caught.value


@pytest.mark.parametrize(
    "document", [None, [], 7, {}, {"minimal": True, "steps": {}}, {"minimal": True, "steps": [[]]}]
)
def test_what_is_no_list_of_steps_is_rejected(document: object) -> None:
    answer = certificate("denied")
    answer["peerings"][0]["proof"] = document
    with pytest.raises(checker.RejectedError, match=f"^{PROOF}"):
        checker.check(answer, RULES, facts(), SCHEMA)


def test_the_same_steps_in_another_good_order_hold() -> None:
    """The order is free but for one thing: no step stands above one that rests on it."""
    answer = certificate("denied")
    proof = answer["peerings"][0]["proof"]
    order = sorted(range(len(proof["steps"])), key=lambda n: (-proof["steps"][n]["height"], -n))
    assert order != list(range(len(order)))
    proof["steps"] = renumbered(proof["steps"], order)
    assert checker.check(answer, RULES, facts(), SCHEMA) == checker.check(certificate("denied"), RULES, facts(), SCHEMA)
