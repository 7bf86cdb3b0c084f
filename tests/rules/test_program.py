"""The policy program as such: it loads clean, says what its relations mean, and can be added to but not forged."""

from pathlib import Path
from typing import get_type_hints

import pytest

from liqo_connectivity.engine import ProgramError
from liqo_connectivity.engine.syntax.parser import parse_program
from liqo_connectivity.engine.syntax.printer import format_program
from liqo_connectivity.rules import generate
from liqo_connectivity.rules.program import BUILTIN_FILES, builtin_texts, load
from liqo_connectivity.rules.relations import RELATION_NAMES

ROOT = Path(__file__).parents[2]


def test_every_rule_file_is_part_of_the_program() -> None:
    assert sorted(BUILTIN_FILES) == sorted(path.name for path in (ROOT / "rules").glob("*.dl"))


def test_the_program_has_no_warnings() -> None:
    assert load().warnings() == ()


def test_every_asserted_relation_says_what_it_means() -> None:
    program = load()
    assert [d.name for d in program.schema.relations.values() if d.name in program.schema.inputs and not d.doc] == []


@pytest.mark.parametrize("name", BUILTIN_FILES)
def test_a_rule_file_printed_is_the_same_rule_file(name: str) -> None:
    statements = parse_program(builtin_texts()[f"rules/{name}"], name)
    assert parse_program(format_program(statements), name) == statements


def test_the_typed_view_is_the_one_generated_from_the_declarations() -> None:
    source = generate.SOURCE.read_text("utf-8")
    assert generate.TARGET.read_text("utf-8") == generate.generate(source), (
        "run python -m liqo_connectivity.rules.generate"
    )


def test_the_typed_view_has_the_columns_of_the_program() -> None:
    schema = load().schema
    declared = {name: [column.name for column in schema.relations[name].columns] for name in RELATION_NAMES.values()}
    assert declared == {name: list(get_type_hints(row)) for row, name in RELATION_NAMES.items()}


def test_every_asserted_relation_is_an_input_and_no_other() -> None:
    assert load().schema.inputs == frozenset(RELATION_NAMES.values())


def test_one_rule_makes_a_group() -> None:
    program = load({"mine.dl": 'member(P, "dns", A) :- peering(P), pod(Pod, "kube-system"), live(Pod, A).'})
    groups = {rule.head.terms for rule in program.rules_by_head["group"]}
    assert [str(name) for name, _ in groups if "dns" in str(name)]


def test_an_added_rule_cannot_forge_what_objects_assert() -> None:
    with pytest.raises(ProgramError, match=r"DL012.*namespace_tenant") as caught:
        load({"mine.dl": 'namespace_tenant("shop").'})
    assert "mine.dl:1:1" in str(caught.value)


def test_an_added_file_cannot_declare_a_builtin_relation_anew() -> None:
    with pytest.raises(ProgramError, match=r"DL008.*pending"):
        load({"mine.dl": ".decl pending(policy: Policy)"})


def test_an_address_never_joins_a_cluster_id() -> None:
    with pytest.raises(ProgramError, match="DL005"):
        load({"mine.dl": ".decl wrong(a: Address)\nwrong(A) :- pod_ip(_, A), peering(A)."})
