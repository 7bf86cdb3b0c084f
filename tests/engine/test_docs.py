"""The engine's documentation runs, and says the truth about functors."""

import doctest
from pathlib import Path

import liqo_connectivity.engine
from liqo_connectivity.engine import Program
from liqo_connectivity.engine.syntax.functors import BUILTIN

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_the_engine_run() -> None:
    result = doctest.testfile(str(DOCS / "engine.md"), module_relative=False)
    assert result.attempted >= 10
    assert not result.failed


def test_the_example_of_the_package_runs() -> None:
    result = doctest.testmod(liqo_connectivity.engine)
    assert result.attempted
    assert not result.failed


def test_the_table_of_functors_is_complete_and_declares_them_as_they_are() -> None:
    lines = (DOCS / "dialect.md").read_text("utf-8").splitlines()
    declared = [
        line.split("`")[1] for line in lines if line.startswith(("| `address_", "| `cidr_", "| `text_", "| `integer_"))
    ]
    assert [text.partition("(")[0] for text in declared] == list(BUILTIN)
    Program.parse({"f.dl": "".join(f".functor {text}\n" for text in declared)})
