"""The functors are written twice, by different methods; whatever text they are given, both must say the same."""

import importlib.util
import re
from inspect import signature
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.engine.pydatalog import second_opinion
from liqo_connectivity.engine.syntax.arithmetic import EvaluationError, calculate
from liqo_connectivity.engine.syntax.functors import BUILTIN

ADDRESSES = [
    "\n0.0.0.0",
    "10.1.2.3",
    "255.255.255.255",
    "10.01.2.3",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    ".1.2.3",
    "١.2.3.4",
    "+1.2.3.4",
    "1.2.3.4\x00",
    "1.2.3.04\n::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8::",
    "1::2::3",
    ":::",
    ":1",
    "1:",
    "1:::2",
    "12345::",
    "g::",
    "fd00::ABCD\n::ffff:10.1.2.3",
    "::10.1.2.3",
    "1:2:3:4:5:6:10.1.2.3",
    "1:2:3:4:5:6:7:10.1.2.3",
    "10.1.2.3::",
    "10.1.2.3::1",
    "::10.1.2",
    "1:0:0:2:0:0:0:3\n0:0:1:0:0:1:0:0",
    "1:0:2:3:4:5:6:7",
    "0:1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:0",
    "0:0:0:0:0:0:0:0",
    "1:2:3:4:5:6:0:0",
    "0:0:3:4:5:6:7:8\nTrue",
    "10.1.2.3/8",
    "_",
    "??",
    "1",
    ":",
    ".",
    "::.",
    ".::",
    "::1.2.3.4.5",
    "1.2.3.4:5",
    "x\n",
]
MASKS = [
    "0",
    "8",
    "24",
    "32",
    "33",
    "64",
    "96",
    "128",
    "129",
    "-1",
    "+8",
    "08",
    "00000024",
    "2147483648",
    "١",
    "8/8",
    "255.0.0.0",
    "0.0.0.255",
    "255.0.255.0",
    "0.0.0.0",
    "255.255.255.255",
    "128.0.0.0",
    "127.255.255.255",
    "1",
]
TEXTS = [
    *(part for text in ADDRESSES for part in text.split("\n")),
    "",
    " 10.0.0.1",
    "10.0.0.1 ",
    "\ud800",
    "🙂",
    "9" * 5000,
]


@pytest.fixture(scope="module")
def child() -> ModuleType:
    """The child's file as a module: it imports pyDatalog only when it is run."""
    path = Path(second_opinion.__file__).with_name("child.py")
    spec = importlib.util.spec_from_file_location("pydatalog_child", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_second_version_of_every_functor(child: ModuleType) -> None:
    assert set(BUILTIN) == set(child.FUNCTIONS) - set("+-*/%")


def disagreements(child: ModuleType, texts: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    random = Random(0)
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, reference in BUILTIN.items():
        single = len(signature(reference).parameters) == 1
        others = [""] if single else random.sample(texts, min(len(texts), 60))
        for text in texts:
            for other in others:
                arguments = (text,) if single else (text, other)
                if child.FUNCTIONS[name](*arguments) != reference(*arguments):
                    found.append((name, arguments))
    return found


def test_both_versions_agree_on_addresses_and_what_looks_like_them(child: ModuleType) -> None:
    assert disagreements(child, TEXTS) == []


@pytest.mark.slow
def test_both_versions_agree_on_cidrs_and_what_looks_like_them(child: ModuleType) -> None:
    assert disagreements(child, [f"{text}/{mask}" for text in TEXTS for mask in [*MASKS, ""]]) == []


@given(st.ip_addresses(), st.integers(0, 128), st.ip_addresses(), st.integers(0, 128), st.booleans())
def test_both_versions_agree_on_real_networks(
    child: ModuleType, first: object, wide: int, second: object, narrow: int, near: bool
) -> None:
    outer, inner = f"{first}/{wide}", f"{first if near else second}/{narrow}"
    for name in ("cidr_family", "cidr_canonical", "cidr_lower", "cidr_upper"):
        assert child.FUNCTIONS[name](outer) == BUILTIN[name](outer)
    assert child.FUNCTIONS["cidr_covers"](outer, inner) == BUILTIN["cidr_covers"](outer, inner)
    assert child.FUNCTIONS["cidr_contains"](outer, str(first)) == BUILTIN["cidr_contains"](outer, str(first))
    assert child.FUNCTIONS["cidr_contains"](outer, str(second)) == BUILTIN["cidr_contains"](outer, str(second))


@given(st.text(alphabet="0123456789abcdefF:./", max_size=24))
def test_both_versions_agree_on_noise(child: ModuleType, text: str) -> None:
    for name in ("address_family", "address_canonical", "cidr_family", "cidr_canonical", "cidr_lower", "cidr_upper"):
        assert child.FUNCTIONS[name](text) == BUILTIN[name](text)


NUMBERS = st.one_of(st.integers(-10, 10), st.integers(-(2**31), 2**31 - 1), st.sampled_from([-(2**31), 2**31 - 1]))


@given(st.sampled_from("+-*/%"), NUMBERS, NUMBERS)
def test_both_versions_agree_on_arithmetic(child: ModuleType, operator: str, left: int, right: int) -> None:
    try:
        expected = calculate(operator, left, right)
    except EvaluationError as error:
        with pytest.raises(ArithmeticError, match=re.escape(str(error))):
            child.FUNCTIONS[operator](left, right)
    else:
        assert child.FUNCTIONS[operator](left, right) == expected
