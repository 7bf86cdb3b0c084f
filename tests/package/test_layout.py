"""Guards the layout of a checkout: every room is linked, nothing hides Python's own modules, imports run one way.

The rooms are top-level folders, which links in src/liqo_connectivity show to Python in a checkout. That can go wrong
silently: an ``operator/__init__.py`` would hide Python's own ``operator`` from everything that is started at the root.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.checkout import PACKAGE, PACKAGE_DATA, PYPROJECT, ROOMS, ROOT, files_of, run
from tests.support.layers import FACADES, LAYERS, MAY_IMPORT, PUBLIC_MODULES

NOT_ROOMS = {"benchmarks", "build", "dist", "docs", "examples", "src", "tests", "tools"}

ONLY_OPERATOR = {"click", "kubernetes"}
HEAVY = {"kubernetes", "lark", "networkx", "pyDatalog", "pydantic", "pydantic_core", "structlog", "yaml"}


def test_operator_has_no_init() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists(), "it would hide Python's own operator module"


@pytest.mark.parametrize("path", ["", str(ROOT)])
def test_python_started_at_the_root_has_its_own_operator(path: str) -> None:
    code = "import collections, enum, functools, operator; print(operator.__file__)"
    stdlib = Path(sysconfig.get_path("stdlib"))
    assert Path(run(sys.executable, "-c", code, PYTHONPATH=path).stdout.strip()).parent == stdlib


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_of_a_room_hides_one_of_the_standard_library(room: str) -> None:
    """A script's own folder comes first on the import path, so ``operator/queue.py`` would be everyone's queue."""
    names = {path.stem for path in (ROOT / room).rglob("*") if path.suffix == ".py" or path.is_dir()}
    assert not names & sys.stdlib_module_names


def test_every_room_is_linked_into_the_package() -> None:
    links = {path.name: path.resolve() for path in (ROOT / "src" / PACKAGE).iterdir() if path.is_symlink()}
    assert links == {room: ROOT / room for room in ROOMS}


def test_every_top_level_folder_with_code_is_a_room() -> None:
    with_code = {path.parent.name for path in ROOT.glob("[a-z]*/*.py")}
    assert with_code - NOT_ROOMS == set(ROOMS)


def test_pyright_is_told_of_every_room() -> None:
    """It passes over links that it is not told of, and reports no error in what it has not read."""
    assert {f"src/{PACKAGE}/{room}" for room in ROOMS} <= set(PYPROJECT["tool"]["pyright"]["include"])


def test_the_package_data_patterns_cover_every_data_file() -> None:
    data = [path for room in ROOMS for path in files_of(ROOT, room) if path.suffix != ".py"]
    uncovered = [path for path in data if not any(fnmatch(path.name, pattern) for pattern in PACKAGE_DATA["*"])]
    assert not uncovered


def imported(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, whether at its top or inside a function.

    >>> list(imported("from ..engine import terms", "liqo_connectivity.rules.load"))
    [(1, 'liqo_connectivity.engine.terms')]
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def is_inside(name: str) -> bool:
    """Whether a name such as ``facts.base.fact.Fact`` is that of a module, and not of something that its room exports."""
    room, _, rest = name.partition(".")
    if room not in FACADES or any(name == known or name.startswith(f"{known}.") for known in PUBLIC_MODULES):
        return False
    module = ROOT / room / rest.partition(".")[0]
    exported = f'    "{rest}",\n' in (ROOT / room / "__init__.py").read_text()
    return bool(rest) and not exported and (module.is_dir() or module.with_suffix(".py").is_file())


def breaches(source: str, module: str) -> list[str]:
    """The imports of a module, named ``liqo_connectivity.<room>.…``, that its room may not make."""
    room = module.split(".")[1]
    allowed = (room, *MAY_IMPORT[room])
    found: list[str] = []
    for line, name in imported(source, module):
        top, _, rest = name.partition(".")
        if top == PACKAGE:
            good = any(rest == prefix or rest.startswith(f"{prefix}.") for prefix in allowed)
            good = good and (rest.startswith(f"{room}.") or not is_inside(rest))
            good = good or (room in ("operator", "rules") and rest == "__version__")
        else:
            good = top not in ONLY_OPERATOR or room == "operator"
            good = good and (room != "checker" or top in sys.stdlib_module_names)
        if not good:
            found.append(f"{module}:{line} imports {name}")
    return found


def modules_of(folder: str) -> Iterator[tuple[str, str]]:
    """The dotted name and the source of every module in a folder of a room."""
    for path in files_of(ROOT, folder):
        if path.suffix == ".py":
            yield ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)), path.read_text()


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    found = [breach for module, source in modules_of(room) for breach in breaches(source, module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engine.x", "from liqo_connectivity.rules import load"),
        ("engine.x", "from ..rules import load"),
        ("engine.x", "import liqo_connectivity"),
        ("chains.x", "def f():\n    import liqo_connectivity.engine.terms"),
        ("facts.x", "from liqo_connectivity.rules import load"),
        ("facts.x", "from liqo_connectivity.engine.terms import Atom"),
        ("rules.x", "from liqo_connectivity import operator"),
        ("rules.x", "import kubernetes.client"),
        ("facts.x", "from click import echo"),
        ("checker.x", "import yaml"),
        ("operator.x", "from liqo_connectivity.facts.base.fact import Fact"),
        ("operator.x", "from liqo_connectivity.facts import base"),
    ],
)
def test_an_import_the_wrong_way_is_seen(module: str, source: str) -> None:
    assert breaches(source, f"{PACKAGE}.{module}")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("facts.x", "from liqo_connectivity.rules import relations"),
        ("facts.x", "from liqo_connectivity.rules.relations import Pod"),
        ("rules.x", "from liqo_connectivity.engine import Atom"),
        ("rules.x", "from liqo_connectivity.engine.syntax.parser import parse_program"),
        ("operator.x", "import click\nfrom liqo_connectivity import __version__\nfrom kubernetes import client"),
        ("chains.x", "import json\nfrom .names import Chain"),
    ],
)
def test_an_import_the_right_way_passes(module: str, source: str) -> None:
    assert not breaches(source, f"{PACKAGE}.{module}")


def upward(folder: str, source: str, module: str) -> list[tuple[str, str, int]]:
    """The imports of a module in a folder that ``LAYERS`` orders from a lower layer to a higher one: from, to, line."""
    order = LAYERS[folder]
    inside = f"{PACKAGE}.{folder.replace('/', '.')}."

    def layer(dotted: str) -> str:
        return dotted.removeprefix(inside).partition(".")[0]

    def height(name: str) -> int:
        return order.index(name) if name in order else len(order)

    own = layer(module)
    names = ((line, layer(name)) for line, name in imported(source, module) if name.startswith(inside))
    return [(f"{folder}/{own}", f"{folder}/{other}", line) for line, other in names if height(other) > height(own)]


@pytest.mark.parametrize("folder", LAYERS)
def test_every_folder_has_its_place_in_the_order(folder: str) -> None:
    inside = {path.parent for path in files_of(ROOT, folder) if path.suffix == ".py"} - {ROOT / folder}
    assert {path.relative_to(ROOT / folder).parts[0] for path in inside} <= set(LAYERS[folder])


@pytest.mark.parametrize("folder", LAYERS)
def test_no_lower_folder_imports_a_higher_one(folder: str) -> None:
    found = [
        f"{module}:{line}: {own} imports {other}"
        for module, source in modules_of(folder)
        for own, other, line in upward(folder, source, module)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("folder", "module", "source", "other"),
    [
        ("engine", "engine.syntax.x", "from liqo_connectivity.engine.plan import y", "engine/plan"),
        ("engine", "engine.syntax.x", "def f():\n    import liqo_connectivity.engine.evaluator", "engine/evaluator"),
        ("operator/controller", "operator.controller.logs", "from .state import y", "operator/controller/state"),
        ("facts", "facts.base.x", "from liqo_connectivity.facts import FactBase", "facts/FactBase"),
    ],
)
def test_an_import_of_a_higher_folder_is_seen(folder: str, module: str, source: str, other: str) -> None:
    assert [found[1] for found in upward(folder, source, f"{PACKAGE}.{module}")] == [other]


@pytest.mark.parametrize(
    ("folder", "module", "source"),
    [
        ("engine", "engine.plan.x", "from liqo_connectivity.engine.syntax import y"),
        ("engine", "engine.plan.x", "from .y import z"),
        ("engine", "engine.evaluator", "from liqo_connectivity.engine.why_not import y"),
        ("operator/controller", "operator.controller.process", "from liqo_connectivity.operator.kube import y"),
    ],
)
def test_an_import_of_a_lower_folder_passes(folder: str, module: str, source: str) -> None:
    assert not upward(folder, source, f"{PACKAGE}.{module}")


def test_help_imports_nothing_heavy() -> None:
    """Completion and ``--help`` run at every keystroke; the client alone costs most of a second."""
    trace = run(sys.executable, "-X", "importtime", "-m", PACKAGE, "--help", PYTHONPATH=str(ROOT / "src")).stderr
    modules = {line.rpartition("|")[2].strip() for line in trace.splitlines()}
    assert f"{PACKAGE}.operator.cli" in modules
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    rooms = {name.split(".")[1] for name in modules if name.startswith(f"{PACKAGE}.")}
    assert rooms == {"operator"}
