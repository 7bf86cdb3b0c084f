"""Goals: a question as one more rule of a program, with errors that show the question."""

import pytest

from liqo_connectivity.engine import Program, ProgramError, Row, evaluate
from liqo_connectivity.engine.syntax.parser import parse_goal
from tests.support.explaining import prove

TEXT = """.type Pod <: symbol
.type Address <: symbol
.decl pod_ip(pod: Pod, address: Address)
.input pod_ip
.decl created(pod: Pod, seconds: number)
.decl twin(pod: Pod, other: Pod)
.decl none(x: symbol)
twin(P, Q) :- pod_ip(P, A), pod_ip(Q, A), P != Q.
"""
FACTS: dict[str, list[Row]] = {
    "pod_ip": [("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.2")],
    "created": [("a", 1), ("b", 5), ("c", 7)],
}
PROGRAM = Program.parse({"pods.dl": TEXT})


def answers(goal: str, name: str = "goal") -> tuple[tuple[str, ...], list[Row]]:
    program, columns = PROGRAM.with_goal(parse_goal(goal, "question"), "question", goal, name)
    return columns, evaluate(program, FACTS).rows(name)


@pytest.mark.parametrize(
    ("goal", "columns", "rows"),
    [
        ("twin(P, Q)", ("P", "Q"), [("a", "b"), ("b", "a")]),
        ("pod_ip(P, _)", ("P",), [("a",), ("b",), ("c",)]),
        ('pod_ip(P, A), twin(P, "b")', ("P", "A"), [("a", "10.0.0.1")]),
        ("created(P, S), S > 3, !twin(P, _)", ("P", "S"), [("c", 7)]),
        ("created(P, S), T = S * 2 + 1", ("P", "S", "T"), [("a", 1, 3), ("b", 5, 11), ("c", 7, 15)]),
        ('created(P, S), (S = 1; P = "c")', ("P", "S"), [("a", 1), ("c", 7)]),
        ('X = Y, Y = "k"', ("X", "Y"), [("k", "k")]),
        ("X = Y, Y = 3", ("X", "Y"), [(3, 3)]),
        ('pod_ip("a", "10.0.0.1")', (), [()]),
        ('pod_ip("a", "10.0.0.2")', (), []),
        ("!none(_)", (), [()]),
        ("none(X)", ("X",), []),
        ("twin(P, Q).", ("P", "Q"), [("a", "b"), ("b", "a")]),
    ],
)
def test_answers(goal: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    assert answers(goal) == (columns, rows)


ERRORS = {
    "twn(P, Q)": """\
error[DL003]: unknown relation 'twn'
 --> question:1:1
  |
1 | twn(P, Q)
  | ^^^^^^^^^
  = help: did you mean 'twin'?""",
    "pod_ip(P, _),\n!twin(P, Q)": """\
error[DL006]: Q is not bound
 --> question:2:10
  |
2 | !twin(P, Q)
  |          ^
  = note: only a positive atom, or an equation with values that are bound, gives a variable its values
  = help: add an atom that lists the values of Q, or write _ inside an atom""",
    "pod_ip(P, P)": """\
error[DL005]: P is of type Pod and cannot be of type Address
 --> question:1:11
  |
1 | pod_ip(P, P)
  |           ^
  = note: P is of type Pod at question:1:8
  = help: values of different types never meet: use columns of one type, or of a type and one below it""",
    "created(_, X); twin(X, _)": """\
error[DL005]: X is of type Pod and cannot be of type number
 --> question:1:12
  |
1 | created(_, X); twin(X, _)
  |            ^
  = note: X is of type Pod at question:1:21
  = help: values of different types never meet: use columns of one type, or of a type and one below it""",
    "twin(P)": """\
error[DL004]: twin has 2 columns, not 1
 --> question:1:1
  |
1 | twin(P)
  | ^^^^^^^
  = note: declared at pods.dl:6:1 as (pod: Pod, other: Pod)
  = help: write _ for a column that does not matter""",
    "twin(P, Q": """\
error[DL001]: the text ends inside a statement
 --> question:1:10
  |
1 | twin(P, Q
  |          ^
  = help: close it: facts and rules end with '.'""",
    "@sha256(P) = 1, twin(P, _)": """\
error[DL010]: functor 'sha256' is not declared
 --> question:1:1
  |
1 | @sha256(P) = 1, twin(P, _)
  | ^^^^^^^^^^
  = help: if it is built in, declare it: .functor sha256(...): number""",
}


@pytest.mark.parametrize("goal", ERRORS)
def test_an_error_shows_the_question(goal: str) -> None:
    with pytest.raises(ProgramError) as caught:
        answers(goal)
    assert str(caught.value) == ERRORS[goal]


def test_a_question_that_spreads_too_far_is_refused_soon() -> None:
    with pytest.raises(ProgramError, match="DL013"):
        answers(", ".join(["(twin(P, Q); twin(Q, P))"] * 60))


def test_a_relation_of_the_program_does_not_hide_behind_the_name_of_the_answers() -> None:
    program = Program.parse({"pods.dl": TEXT + ".decl goal(pod: Pod)\ngoal(P) :- twin(P, _)."})
    question = parse_goal("goal(P)", "question")
    with pytest.raises(ProgramError) as caught:
        program.with_goal(question, "question", "goal(P)")
    assert (
        str(caught.value)
        == """\
error[DL008]: the program declares a relation 'goal', which is also the name for the answers to this goal
 --> question:1:1
  |
1 | goal(P)
  | ^^^^^^^
  = note: declared at pods.dl:9:1
  = help: rename the relation, or ask for the answers under another name"""
    )
    asked, columns = program.with_goal(question, "question", "goal(P)", "the answers")
    assert columns == ("P",)
    assert evaluate(asked, FACTS).rows("the answers") == [("a",), ("b",)]


@pytest.mark.parametrize("goal", ["goal(P), pod_ip(P, _)", "goal(P)", "!goal()"])
def test_a_question_cannot_name_its_own_answers(goal: str) -> None:
    with pytest.raises(ProgramError, match="unknown relation 'goal'"):
        answers(goal)


def test_an_answer_has_a_proof() -> None:
    goal = "twin(P, Q), created(P, S), S < 3"
    program, _ = PROGRAM.with_goal(parse_goal(goal), "goal", goal)
    proof = prove(evaluate(program, FACTS), "goal", ("a", "b", 1))
    assert proof is not None
    assert [str(premise) for premise in proof.premises] == ['twin("a", "b")', 'created("a", 1)', "1 < 3"]


def test_the_program_that_was_asked_is_left_as_it_was() -> None:
    before = len(PROGRAM.rules)
    answers("twin(P, Q)")
    assert len(PROGRAM.rules) == before
    assert "goal" not in PROGRAM.schema.relations
