"""What differs between two views of a table: rules in their order, elements of sets, chains and sets.

A rule's name holds a hash of all rules before it, so rules are aligned by what they do: one change is one difference,
not one for each rule after it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice
from typing import Literal, TypeAlias, TypeVar

from liqo_connectivity.chains.comparison.views import ChainView, RuleView, TableView

T = TypeVar("T")
Change: TypeAlias = Literal["missing", "extra", "moved", "renamed", "changed"]
Part: TypeAlias = Literal["object", "label", "table", "chain", "rule", "set", "element"]


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One difference: ``part`` of what kind, by its ``name``, and what became of it (``change``).

    ``missing`` is wanted and not found, ``extra`` found and not wanted. For a rule, ``text`` says what it does and ``chain``
    where it stands, and for a changed chain ``text`` says what is wanted and found. The name of an element is its address, and
    ``text`` its set.
    """

    part: Part
    change: Change
    name: str = ""
    text: str = ""
    chain: str = ""


def differences(wanted: TableView, found: TableView) -> list[Difference]:
    """All differences between two views of one table: those of the table, then its rules in their order, then its sets."""
    result = [
        Difference("table", "changed", found.name, f"it has {each}") for each in sorted(found.others - wanted.others)
    ]
    for name, ours, theirs in _pairs(wanted.chains, found.chains):
        if ours is None or theirs is None:
            result.append(Difference("chain", "missing" if theirs is None else "extra", name))
            continue
        if ours.base != theirs.base:
            result.append(Difference("chain", "changed", name, f"{theirs.base}, not {ours.base}"))
        result += (replace(each, chain=name) for each in _rules(ours, theirs))
    for name, members, held in _pairs(wanted.sets, found.sets):
        if members is None or held is None:
            result.append(Difference("set", "missing" if held is None else "extra", name))
        result += (
            Difference("element", "missing", each, name)
            for each in sorted((members or frozenset()) - (held or frozenset()))
        )
        result += (
            Difference("element", "extra", each, name)
            for each in sorted((held or frozenset()) - (members or frozenset()))
        )
    return result


def _pairs(wanted: Mapping[str, T], found: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in sorted({*wanted, *found}):
        yield name, wanted.get(name), found.get(name)


def _rules(wanted: ChainView, found: ChainView) -> Iterator[Difference]:
    ours, theirs = [_does(rule) for rule in wanted.rules], [_does(rule) for rule in found.rules]
    missing: list[RuleView] = []
    extra: list[RuleView] = []
    renamed: list[RuleView] = []
    for kind, start, end, their_start, their_end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs = zip(wanted.rules[start:end], found.rules[their_start:their_end], strict=True)
            renamed += (mine for mine, other in pairs if mine.name != other.name)
        else:
            missing += wanted.rules[start:end]
            extra += found.rules[their_start:their_end]
    moved = Counter(map(_does, missing)) & Counter(map(_does, extra))
    yield from _changes(missing, moved, "missing", "moved")
    yield from _changes(extra, moved, "extra", None)
    # Names follow from the rules before, so they say something only where nothing else does.
    if not missing and not extra:
        yield from (Difference("rule", "renamed", rule.name, str(rule)) for rule in islice(renamed, 1))


def _does(rule: RuleView) -> tuple[object, str]:
    return rule.matches, rule.verdict


def _changes(
    rules: Sequence[RuleView], moved: Counter[tuple[object, str]], change: Change, again: Change | None
) -> Iterator[Difference]:
    """The change of each rule: ``again`` for as many as moved, of which nothing is said if it is None."""
    left = moved.copy()
    for rule in rules:
        is_moved = left[_does(rule)] > 0
        left[_does(rule)] -= 1
        kind = again if is_moved else change
        if kind is not None:
            yield Difference("rule", kind, rule.name, str(rule))
