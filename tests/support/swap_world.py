"""Objects, agents and kernels, as much of them as a swap is about: rules are the flows that they deny.

Agents are slow, apply an object in two transactions as Liqo's do, report no version of what they applied, and may join at
any time. It must not know which step is right.
"""

from dataclasses import dataclass, field
from itertools import count
from random import Random

from liqo_connectivity.operator.controller.reconcile.swap import Act, Held, Rules, Slot, Step, next_step

Denied = frozenset[int]
FLOWS = range(4)


@dataclass
class Object:
    """A stored object; ``denied`` is None if it is emptied. ``version`` grows with every write of its spec."""

    uid: int
    denied: Denied | None
    members: int
    version: int = 1
    going: bool = False
    reports: set[str] = field(default_factory=set[str])


@dataclass
class Agent:
    """A node: the tables in its kernel, and the version of each object that it has applied, or is applying."""

    tables: dict[Slot, Denied] = field(default_factory=dict[Slot, Denied])
    applied: dict[Slot, tuple[int, int]] = field(default_factory=dict[Slot, tuple[int, int]])
    applying: dict[Slot, tuple[int, int]] = field(default_factory=dict[Slot, tuple[int, int]])

    @property
    def denies(self) -> Denied:
        """What its kernel drops: whatever one of its tables drops."""
        return frozenset().union(*self.tables.values())


class World:
    """What is stored for one peering, the agents, and the policy that is wanted now."""

    def __init__(self, denied: Denied, agents: int) -> None:
        self.wanted = denied
        self.members = 0
        self.objects: dict[Slot, Object] = {}
        self.agents = {f"agent-{number}": Agent() for number in range(agents)}
        self.taken: list[Step] = []
        self._uids = count()

    def held(self, slot: Slot) -> Held | None:
        """An object as the controller sees it."""
        found = self.objects.get(slot)
        if found is None:
            return None
        rules = Rules.NONE if found.denied is None else Rules.WANTED if found.denied == self.wanted else Rules.OTHER
        live = frozenset(self.agents)
        reports = frozenset(found.reports) & live
        return Held(rules, found.members == self.members, found.going, reports == live, reports, reports)

    def control(self, *, patient: bool) -> Step:
        """Take the next step; an impatient removal does not wait for agents to notice that an object is emptied."""
        step = next_step(self.held(Slot.FIRST), self.held(Slot.STANDIN))
        self.taken.append(step)
        found = self.objects.get(step.slot)
        match step.act:
            case Act.WRITE if found is None:
                self.objects[step.slot] = Object(next(self._uids), self.wanted, self.members)
            case Act.WRITE if found is not None:
                found.denied, found.members, found.version = self.wanted, self.members, found.version + 1
            case Act.REFRESH if found is not None:
                found.members, found.version = self.members, found.version + 1
            case Act.REMOVE if found is not None:
                self._remove(step.slot, found, patient=patient)
            case _:
                pass
        return step

    def _remove(self, slot: Slot, found: Object, *, patient: bool) -> None:
        if found.denied is not None:
            found.denied, found.version = None, found.version + 1
        elif not found.going:
            found.going = not patient or all(
                agent.applied.get(slot) == (found.uid, found.version) for agent in self.agents.values()
            )

    def work(self, name: str, slot: Slot) -> None:
        """Let an agent do its next thing about an object: one transaction."""
        agent, found = self.agents[name], self.objects.get(slot)
        if found is None:
            return
        if found.going:
            agent.tables.pop(slot, None)
            # All agents share the finalizer. One that comes late finds nothing, and keeps its table.
            del self.objects[slot]
            for other in self.agents.values():
                other.applying.pop(slot, None)
            return
        now = found.uid, found.version
        wanted = found.denied if found.denied is not None else frozenset[int]()
        if agent.applying.get(slot) != now:
            agent.applying[slot] = now
            agent.tables[slot] = agent.tables.get(slot, frozenset[int]()) & wanted
            return
        agent.tables[slot] = wanted
        agent.applied[slot] = now
        found.reports.add(name)

    def settle(self, random: Random) -> None:
        """Let everybody work until nothing is left to do."""
        for _ in range(200):
            step = self.control(patient=True)
            for name in random.sample(sorted(self.agents), len(self.agents)):
                for slot in random.sample(list(Slot), 2):
                    self.work(name, slot)
                    self.work(name, slot)
            if step.act is Act.DONE:
                return
        raise AssertionError(f"it does not end: {self.taken[-12:]}")
