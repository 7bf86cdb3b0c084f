"""What a rule's author sees: plans and counters; and what nobody must see: names and values in generated source."""

from pathlib import Path

import pytest

from liqo_connectivity.engine import Program, Row, evaluate
from liqo_connectivity.engine.codegen import specialization as specialize_module
from liqo_connectivity.engine.codegen.source import Template
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import commit, loaded, numbers
from tests.support.explaining import prove

TEXT = """.decl pod_ip(pod: symbol, ip: symbol)
.decl finished(pod: symbol)
.decl wanted(pod: symbol, kind: symbol)
.decl live(pod: symbol, ip: symbol)
live(Pod, Ip) :- pod_ip(Pod, Ip), wanted(Pod, "yes"), !finished(Pod), Ip != "".
"""


PLAN = """live(Pod, Ip) :- pod_ip(Pod, Ip), wanted(Pod, "yes"), !finished(Pod), Ip != "".
at load:
  for each row of wanted with column 1 = "yes"
  test !finished(Pod)
  look up pod_ip with column 0 = Pod
  test Ip != ""
when pod_ip(Pod, Ip) changes:
  for each change of pod_ip
  test !finished(Pod)
  test Ip != ""
  test wanted(Pod, "yes")
when wanted(Pod, "yes") changes:
  for each change of wanted with column 1 = "yes"
  test !finished(Pod)
  look up pod_ip with column 0 = Pod
  test Ip != ""
when !finished(Pod) changes:
  for each change of finished
  test wanted(Pod, "yes")
  look up pod_ip with column 0 = Pod
  test Ip != \"\""""


def test_a_plan_says_how_a_rule_is_joined() -> None:
    assert Database(Program.parse({"p.dl": TEXT})).explain_plan(0) == PLAN


@pytest.mark.parametrize("number", [-1, 1])
def test_a_rule_that_is_not_there_has_no_plan(number: int) -> None:
    with pytest.raises(ValueError, match=f"no rule {number}"):
        Database(Program.parse({"p.dl": TEXT})).explain_plan(number)


def test_every_rule_of_every_construct_has_a_plan() -> None:
    text = (
        TEXT
        + """.decl n(x: symbol, i: number)
    n(X, 0) :- live(X, _).
    n(X, N + 1) :- n(X, N), N < count : { live(_, I), I != X }, !n(X, 9) ; wanted(X, X), N = 1, live(X, X)."""
    )
    with pytest.raises(Exception, match="depends on its own negation"):
        Program.parse({"p.dl": text})
    database = Database(Program.parse({"p.dl": text.replace(", !n(X, 9)", "")}))
    for rule in database.program.rules:
        assert f"{rule.head.relation}(" in database.explain_plan(rule.number)


def test_a_profiled_database_counts_what_rules_cost() -> None:
    program = Program.parse({"p.dl": TEXT})
    facts: dict[str, list[Row]] = {"pod_ip": [("a", "1"), ("b", "2")], "wanted": [("a", "yes"), ("b", "no")]}
    database = Database(program, profiled=True)
    database.load(facts)
    (counters,) = database.counters()
    # The scan of wanted, and for the one row that passes a test and a lookup.
    assert (counters.rule, counters.probes, counters.instances) == (0, 3, 1)
    commit(database, [("finished", ("a",), True)])
    (after,) = database.counters()
    assert (after.probes, after.instances) == (5, 2)
    assert after.seconds > counters.seconds > 0
    assert numbers(database) == numbers(loaded(program, {**facts, "finished": [("a",)]}))
    assert not Database(program).counters()


HOSTILE = (
    "'",
    '"',
    "\\",
    "\n",
    '""" + __import__("os") + """',
    "True",
    "None",
    "class",
    "v1",
    "c0",
    "{0}",
    "\x00",
    "é" * 5000,
)


def test_no_name_and_no_value_becomes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []
    make = Template.make

    def remember(template: Template, resolve: object) -> object:
        sources.append(template.source)
        return make(template, resolve)  # type: ignore[arg-type]  # handed on as given

    monkeypatch.setattr(Template, "make", remember)
    names = ("lambda_", "import_", "None_", "__class__", "exec_")
    written = [
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in HOSTILE if "\x00" not in value
    ]
    text = "".join(f".decl {name}(v1: symbol, c0: symbol)\n" for name in names)
    text += "".join(f'{names[1]}("{value}", V) :- {names[0]}(V, "{value}"), V != "{value}".\n' for value in written)
    text += f"{names[2]}(Row, Rows) :- {names[1]}(Row, Rows), !{names[3]}(Row, _).\n"
    program = Program.parse({"h.dl": text})
    facts: dict[str, list[Row]] = {names[0]: [(a, b) for a in HOSTILE for b in HOSTILE], names[3]: [("'", "'")]}
    database = loaded(program, facts)
    commit(database, [(names[0], ("x", value), True) for value in HOSTILE])
    commit(database, [(names[0], ("x", value), False) for value in HOSTILE])
    model = evaluate(program, facts)
    for name in names:
        assert database.rows(name) == model.rows(name)
        for row in database.rows(name)[:5]:
            assert prove(database, name, row) == prove(model, name, row)
    assert len(sources) > 5
    for source in sources:
        assert not any(name in source for name in names)
        # The only text in quotes, and the only escapes, would be somebody's.
        assert not set("\"'\\#") & set(source)


def test_only_one_module_executes_source() -> None:
    folder = Path(specialize_module.__file__).parents[1]
    assert [path.name for path in sorted(folder.rglob("*.py")) if "exec(" in path.read_text()] == ["source.py"]


def test_a_long_rule_is_joined_in_several_functions() -> None:
    """Python allows 20 nested blocks and 100 levels of indentation."""
    atoms = ", ".join(f"e(X{number}, X{number + 1})" for number in range(60))
    text = f".decl e(x: number, y: number)\n.decl far(x: number, y: number)\nfar(X0, X60) :- {atoms}."
    database = loaded(Program.parse({"l.dl": text}), {"e": [(number, number + 1) for number in range(63)]})
    assert database.rows("far") == [(0, 60), (1, 61), (2, 62), (3, 63)]
    commit(database, [("e", (30, 31), False)])
    assert not database.rows("far")
    commit(database, [("e", (30, 31), True), ("e", (63, 64), True)])
    assert len(database.rows("far")) == 5
    assert not database.check()


def test_few_facts_of_the_text_are_gone_through_before_a_larger_relation_is_looked_up_by_less() -> None:
    text = """.decl on(p: symbol)
    .input on
    .decl member(p: symbol, g: symbol, a: symbol)
    .input member
    .decl owned(g: symbol)
    owned("x"). owned("y").
    .decl side(s: symbol)
    side("source").
    .decl scope(p: symbol, a: symbol, s: symbol)
    scope(P, A, S) :- on(P), owned(G), member(P, G, A), side(S)."""
    database = loaded(Program.parse({"s.dl": text}), {"on": [("p",)], "member": [("p", "x", "1"), ("p", "z", "2")]})
    (rule,) = [rule.number for rule in database.program.rules if rule.head.relation == "scope"]
    plan = database.explain_plan(rule).partition("when on(P) changes:")[2].partition("when")[0]
    steps = [line.strip() for line in plan.strip().splitlines()]
    assert [step.partition(" with")[0] for step in steps] == [
        "for each change of on",
        "for each row of owned",
        "look up member",
        # It helps nobody to be looked up, so it keeps its place.
        "for each row of side",
    ]
    commit(database, [("on", ("p",), False)])
    commit(database, [("on", ("p",), True), ("member", ("p", "y", "3"), True)])
    assert database.rows("scope") == [("p", "1", "source"), ("p", "3", "source")]
    assert not database.check()
