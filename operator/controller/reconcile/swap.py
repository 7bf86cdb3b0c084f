"""The swap: how the chain of a peering is replaced while it is in force, one step at a time.

Liqo's agent applies an object in two transactions, and between them the rules that an edit changes are absent. So no stored
rule is ever changed: a *stand-in*, a second object with a second table, comes into force first; then the first object is
removed and created again with the new rules; then the stand-in goes. A packet passes only if the base chains of both tables
accept it, so nothing is open meanwhile. An object that is new has no reports but those about its own rules, which is how
the swap knows that they are in force.

Each step follows from what is stored and reported alone: a controller that starts in the middle goes on from there.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Slot(Enum):
    """The two objects of a peering."""

    FIRST = auto()
    STANDIN = auto()


class Rules(Enum):
    """What an object holds: the rules that are wanted, others, or no chain."""

    WANTED = auto()
    OTHER = auto()
    NONE = auto()


class Act(Enum):
    """What a step does.

    ``WRITE`` creates an object, or brings it up to date without a change of its rules. ``REMOVE`` takes the next step of
    its removal: it is emptied, then deleted, then awaited to be gone. ``REFRESH`` brings the members of an earlier chain up
    to date. ``WAIT`` is for the agents to report an object. ``BLOCKED`` is to wait until one of two earlier chains is on
    every node that has the other. ``DONE`` leaves nothing to do.
    """

    WRITE = auto()
    REMOVE = auto()
    REFRESH = auto()
    WAIT = auto()
    BLOCKED = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored in a slot.

    ``exact`` says that there is nothing to write; of other rules, that their sets have the members of now. ``going`` says
    that the object is being deleted. ``applied`` says that no agent is left to wait for that has not applied the object.
    ``having`` are the live agents that have reported anything about it, ``enforcing`` those that have applied it.
    """

    rules: Rules
    exact: bool
    going: bool
    applied: bool
    having: frozenset[str] = frozenset()
    enforcing: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether it holds a chain, and stays."""
        return self.rules is not Rules.NONE and not self.going


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next, and with which object."""

    act: Act
    slot: Slot


def next_step(first: Held | None, standin: Held | None) -> Step:
    """The next step towards a first object with the wanted rules and no stand-in; None is an object that does not exist.

    An object that holds a chain is only removed once every live agent has applied the other one, or, if neither holds the
    wanted rules, once every agent that may have applied it has applied the other.
    """
    for slot, held in ((Slot.FIRST, first), (Slot.STANDIN, standin)):
        if held is not None and held.is_whole and held.rules is Rules.WANTED and not held.exact:
            return Step(Act.WRITE, slot)
    if first is None:
        return Step(Act.WRITE, Slot.FIRST)
    if not first.is_whole:
        return _without_first(first, standin)
    if standin is None:
        return Step(Act.DONE, Slot.FIRST) if first.rules is Rules.WANTED else Step(Act.WRITE, Slot.STANDIN)
    if not standin.is_whole:
        return Step(Act.REMOVE, Slot.STANDIN)
    if first.rules is Rules.WANTED:
        return Step(Act.REMOVE, Slot.STANDIN) if first.applied else _wait(Slot.FIRST, first, standin)
    if standin.rules is Rules.WANTED:
        return Step(Act.REMOVE, Slot.FIRST) if standin.applied else _wait(Slot.STANDIN, first, standin)
    if standin.having <= first.enforcing:
        return Step(Act.REMOVE, Slot.STANDIN)
    if first.having <= standin.enforcing:
        return Step(Act.REMOVE, Slot.FIRST)
    return Step(Act.BLOCKED, Slot.FIRST)


def _without_first(first: Held, standin: Held | None) -> Step:
    """The first object enforces nothing: it is emptied, or being deleted."""
    if standin is not None and standin.is_whole:
        return Step(Act.REMOVE, Slot.FIRST)
    if not first.going:
        return Step(Act.WRITE, Slot.FIRST)
    if standin is not None and not standin.going:
        return Step(Act.WRITE, Slot.STANDIN)
    return Step(Act.REMOVE, Slot.FIRST)


def _wait(slot: Slot, first: Held, standin: Held) -> Step:
    for each, held in ((Slot.FIRST, first), (Slot.STANDIN, standin)):
        if not held.exact:
            return Step(Act.REFRESH, each)
    return Step(Act.WAIT, slot)
