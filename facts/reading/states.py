"""The states in which one object was given: which of them counts, and when they contradict each other."""

from collections.abc import Sequence
from typing import NamedTuple

from liqo_connectivity.facts.base.fact import Fact, segments
from liqo_connectivity.facts.extraction.label_facts import Labels, with_labels
from liqo_connectivity.facts.parsing.locators import Locator, Position


class Origin(NamedTuple):
    """A document: the name of its file, and what finds fields in it."""

    file: str
    locator: Locator


class Place(NamedTuple):
    """Where an object is: its document, and its path in that."""

    origin: Origin
    path: tuple[str | int, ...]

    def position(self, field: str) -> Position:
        """Where a field of the object, a JSON pointer, is in its file."""
        return self.origin.locator.position((*self.path, *segments(field)))


class State(NamedTuple):
    """An object as it was given once: what it asserts, and where.

    ``watched`` says that a watch reported it, so that a later one of the same file replaces it, and ``gone`` that this was
    its last state, after which the object asserts nothing. ``labels`` are those that policies may make facts of.
    """

    facts: tuple[Fact, ...]
    place: Place
    watched: bool = False
    gone: bool = False
    labels: Labels = ()

    @property
    def uid(self) -> str:
        """The uid of the object, or empty."""
        return self.facts[0].source.uid if self.facts else ""

    @property
    def version(self) -> int:
        """The resourceVersion as a number, which grows with every change, or -1."""
        text = self.facts[0].source.resource_version if self.facts else ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else -1


_DIGITS = 30


def settle(states: Sequence[State]) -> State | None:
    """The state that counts, or None if they contradict each other.

    In one file, the later of two states that a watch reported, and the newer of two versions of one object. Otherwise all
    have to say the same, whatever their versions are.
    """
    latest: dict[str, State] = {}
    for state in states:
        before = latest.get(state.place.origin.file)
        kept = state if before is None else _of_one_file(before, state)
        if kept is None:
            return None
        latest[state.place.origin.file] = kept
    found: State | None = None
    for state in latest.values():
        if found is not None and not _same(found, state):
            return None
        found = state if found is None else max(found, state, key=_rank)
    return found


def labelled(states: Sequence[State], keys: frozenset[str]) -> Sequence[State]:
    """States with the facts of those labels that policies name."""
    if not keys:
        return states
    return [state._replace(facts=with_labels(state.facts, state.labels, keys)) for state in states]


def uids(states: Sequence[State]) -> set[str]:
    """The uids that one name was given with."""
    return {state.uid for state in states if state.uid}


def _of_one_file(before: State, state: State) -> State | None:
    if before.watched and state.watched:
        return state
    if _same(before, state):
        return max(before, state, key=_rank)
    if before.uid and before.uid == state.uid and -1 != before.version != state.version != -1:
        return max(before, state, key=_rank)
    return None


def _rank(state: State) -> tuple[int, str]:
    return state.version, state.uid


def _same(one: State, other: State) -> bool:
    """Whether two states say the same but for the version, of which only one may have a uid."""
    if one.gone != other.gone or (one.uid and other.uid and one.uid != other.uid):
        return False
    return _said(one) == _said(other)


def _said(state: State) -> set[tuple[object, ...]]:
    return {(fact.relation, fact.row, fact.field, fact.value) for fact in state.facts}
