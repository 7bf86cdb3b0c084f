"""What the engine says about programs that are wrong. ``--update`` rewrites the expected texts: read the diff."""

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liqo_connectivity.engine import Diagnostic, Program, ProgramError, Span
from tests.support.seeds import examples

CASES = Path(__file__).parents[1] / "data" / "program_errors"
NAMES = sorted(path.stem for path in CASES.glob("*.dl"))
PAIR = ".decl a(x: symbol, y: symbol)\n.decl b(x: symbol, y: symbol)\n.input b\n.output a\n"


def findings(text: str, file: str = "f.dl") -> str:
    """Render what the engine finds in a text: its errors, or the warnings of a program that has none."""
    try:
        program = Program.parse({file: text})
    except ProgramError as error:
        return str(error)
    return "\n\n".join(warning.render({file: text}) for warning in program.warnings())


@pytest.mark.parametrize("name", NAMES)
def test_an_error_reads_as_expected(name: str, update: bool) -> None:
    found = findings((CASES / f"{name}.dl").read_text("utf-8"), f"{name}.dl") + "\n"
    expected = CASES / f"{name}.err"
    if update:
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
    assert found.strip()


def test_every_expected_text_has_its_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.err")) == NAMES


def test_every_code_is_documented_and_has_a_case() -> None:
    table = (CASES.parents[2] / "docs" / "dialect.md").read_text("utf-8")
    said = {line[line.index("[") + 1 : line.index("]")] for path in CASES.glob("*.err") for line in _heads(path)}
    documented = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| DL")}
    # DL012 is what the policy program says about added rule files; the engine alone never does.
    assert documented == said | {"DL012"}


def _heads(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.startswith(("error[", "warning[", "note["))]


def test_carets_stand_below_what_they_name() -> None:
    lines = findings(PAIR + "a(X, Y) :- b(X, Y), unknown(Y).").splitlines()
    assert lines[3][lines[4].index("^") : lines[4].rindex("^") + 1] == "unknown(Y)"


def test_every_syntax_error_of_every_file_is_reported() -> None:
    with pytest.raises(ProgramError) as caught:
        Program.parse({"one.dl": "a(", "two.dl": "", "three.dl": ".decl"})
    assert [diagnostic.span.file for diagnostic in caught.value.diagnostics] == ["one.dl", "three.dl"]


def test_errors_come_before_warnings_and_in_the_order_of_the_text() -> None:
    places = [Span("f.dl", line, 1, line, 2) for line in (3, 1, 2)]
    kinds = ("error", "warning", "error")
    found = [Diagnostic("DL001", kind, "m", place) for kind, place in zip(kinds, places, strict=True)]  # type: ignore[arg-type]  # kinds are literals
    assert [diagnostic.span.line for diagnostic in ProgramError(found, {}).diagnostics] == [2, 3, 1]


@pytest.mark.parametrize("separator", ["\r\n", "\n\x0c", "\u2028\n", "\x85\n", "\x0b// \x1c\n"])
def test_lines_are_counted_as_the_parser_counts_them(separator: str) -> None:
    text = "// one" + separator + '.decl a(x: symbol)\n// "\u2028"\na(1).\n'
    shown = findings(text).splitlines()
    assert shown[3] == "4 | a(1)."


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert findings('a("\x1b[31m\x07").').isprintable() is False  # line feeds
    assert all(line.isprintable() for line in findings('a("\x1b[31m\x07").').splitlines())


def test_a_long_line_is_shown_in_part() -> None:
    shown = findings(PAIR + "a(" + '"x"' * 50_000)
    assert max(map(len, shown.splitlines())) < 200
    assert "^" in shown


HOSTILE = {
    "parentheses": PAIR + 'a("x", "y") :- ' + "(" * 1000 + 'b("x", _)' + ")" * 1000 + ".",
    "calls": PAIR + 'a("x", "y") :- 1 = ' + "@f(" * 5000 + "1" + ")" * 5000 + ".",
    "sum": PAIR + 'a("x", "y") :- 1 = ' + "+".join(["1"] * 20_000) + ".",
    "alternatives": PAIR + "a(X, Y) :- " + ", ".join(["(b(X, Y); b(Y, X))"] * 40) + ".",
    "conditions": PAIR + "a(X, Y) :- " + ", ".join(["b(X, Y)"] * 5000) + ".",
    "heads": PAIR + ", ".join(["a(X, Y)"] * 2000) + " :- b(X, Y).",
    "digits": PAIR + 'a("x", "y") :- 1 = ' + "9" * 100_000 + ".",
    "word": "a" * 1_000_000,
    "comment": "/*" + "*" * 1_000_000,
    "symbol": 'a("' + "\\n" * 500_000,
    "binary": bytes(range(256)).decode("latin-1") * 100,
    "zero bytes": "\0" * 1000,
    "surrogates": '.decl a(x: symbol)\na("\ud800") :- .',
    "unknown relations": PAIR + "".join(f"a(X, Y) :- q{i}(X, Y).\n" for i in range(500)),
    "negated cycle": "".join(f".decl r{i}(x: symbol)\n" for i in range(500))
    + "".join(f"r{(i + 1) % 500}(X) :- r{i}(X), !r{(i + 7) % 500}(X).\n" for i in range(500)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_gives_an_error_soon(name: str) -> None:
    start = time.process_time()
    with pytest.raises(ProgramError) as caught:
        Program.parse({"f.dl": HOSTILE[name]})
    assert caught.value.diagnostics
    assert time.process_time() - start < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        PAIR + 'b("x", "y").\na("x", "y") :- b("x", _), ' + "(" * 100_000 + "1" + ")" * 100_000 + " = 1.",
        PAIR + 'a("' + "x\\n" * 100_000 + '", "").',
        "".join(f".type T{i} <: T{i + 1}\n" for i in range(5000)) + ".type T5000 <: symbol",
    ],
    ids=["parentheses around a term", "symbol", "types"],
)
def test_an_odd_text_that_is_right_is_read(text: str) -> None:
    Program.parse({"f.dl": text})


@pytest.mark.slow
def test_the_time_to_read_a_program_grows_with_its_size_only() -> None:
    def seconds(rules: int) -> float:
        text = PAIR + "".join(f'a(X, Y) :- b(X, Z), b(Z, Y), X != "{i}".\n' for i in range(rules))
        start = time.process_time()
        program = Program.parse({"f.dl": text})
        assert len(program.components) == 1
        assert len(program.rules_by_head["a"]) == rules
        assert not program.warnings()
        return time.process_time() - start

    seconds(100)
    small, large = seconds(400), seconds(3200)
    # Eight times the text; a step that is quadratic would take 64 times as long.
    assert large < 24 * small


@settings(max_examples=examples(300), deadline=None)
@given(
    st.text(alphabet=st.sampled_from('abX_?."(),;:-!<>=+*/%@\\\n\t 019#[]$é\u2028\0') | st.characters(), max_size=60)
)
@example(".")
@example("a(X) :- b(X), .")
@example(".decl a(x:symbol)a(")
def test_any_text_is_a_program_or_an_error(text: str) -> None:
    assert isinstance(findings(text), str)


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_a_program_with_a_character_changed_is_a_program_or_an_error(data: st.DataObject) -> None:
    text = (CASES / "negation_cycle.dl").read_text("utf-8")
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(['"', "(", ")", ".", ",", "!", "\n", "X", "_", "1", "", ";", "/*"]))
    assert isinstance(findings(text[:place] + other + text[place + 1 :]), str)
