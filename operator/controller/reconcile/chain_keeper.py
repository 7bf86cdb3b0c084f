"""Keeps the chain of a peering as its policy wants it: carries out the steps of a swap, one for each reconcile.

``swap`` says what the next step is. Here it is found out what is stored and reported, and the step is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import reported
from liqo_connectivity.operator.controller.objects.keys import standin_key
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, Counts, StoredFirewall, StoredPolicy
from liqo_connectivity.operator.controller.reconcile.agent_presence import AgentPresence
from liqo_connectivity.operator.controller.reconcile.result import Result
from liqo_connectivity.operator.controller.reconcile.stored_objects import Recorder, StoredObjects
from liqo_connectivity.operator.controller.reconcile.swap import Act, Held, Rules, Slot, Step, next_step
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.state.ownership import Target
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.writing import policy_status
from liqo_connectivity.operator.controller.writing.deletion import FirewallDeleter
from liqo_connectivity.operator.controller.writing.events import EventRecorder
from liqo_connectivity.operator.controller.writing.firewall_body import is_as_desired
from liqo_connectivity.operator.controller.writing.firewall_writer import FirewallWriter, WriteBlocked, foreign
from liqo_connectivity.operator.controller.writing.members import refresh_members
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

ENDING: Final = 5.0
"""Seconds until an object that is being deleted is looked at again, should its watch miss the end."""
BLOCKED: Final = (
    "two earlier chains are in force, and neither is on every node that has the other, so none can make room for the new "
    "one; Liqo's agents have to report one of them first"
)


class WrittenFor(NamedTuple):
    """The policy and its generation that a peering's chain was last found up to date for, and what it held."""

    uid: str
    generation: int
    counts: Counts


class Enforcement(NamedTuple):
    """What is stored for a peering: the object to report on, and whether an earlier chain is in force beside its own."""

    stored: StoredFirewall | None
    replacing: bool = False


@dataclass(frozen=True, slots=True)
class _Wanted:
    digest: str
    rules: str
    counts: Counts


class ChainKeeper:
    """Takes the next step for one peering at a time; ``first`` is always the key of its first object."""

    def __init__(
        self,
        client: ObjectClient,
        state: State,
        objects: StoredObjects,
        deleter: FirewallDeleter,
        settings: Settings,
        events: EventRecorder,
    ) -> None:
        self._client = client
        self._state = state
        self._objects = objects
        self._deleter = deleter
        self._events = events
        self._agents = AgentPresence(state.agents, settings.agent_timeout)
        self._writer = FirewallWriter(client)
        # What each object is to hold, until its chain changes.
        self._wanted: dict[ObjectKey, _Wanted] = {}
        # What was laid out for them in the step under way.
        self._made: dict[ObjectKey, DesiredFirewall] = {}
        # The rules that each peering wanted last.
        self._rules: dict[ObjectKey, str] = {}
        self._written_for: dict[ObjectKey, WrittenFor] = {}
        # Which members an earlier chain was given last: the uid of its object, and the digest that was wanted then.
        self._refreshed: dict[ObjectKey, tuple[str, str]] = {}

    # ---- What the policies ask ----

    def written_for(self, first: ObjectKey) -> WrittenFor | None:
        """What the chain of a peering was last found up to date for; None if that is not known."""
        return self._written_for.get(first)

    def in_force(self, first: ObjectKey) -> Enforcement:
        """What is stored for a peering; what is stored at all, while it is not known what is wanted."""
        pair = self._pair(first)
        there = [each for each in pair.values() if each is not None and not each.deleting]
        whole = [each for each in there if not each.empty]
        holding = self._holding(first)
        if not holding:
            return Enforcement(
                next(iter([*whole, *there, *(each for each in pair.values() if each is not None)]), None)
            )
        stored = next((each for each in holding if self._agents.have_applied(each)), holding[0])
        # A stand-in that is emptied had the same rules; the first object had others.
        before = [each for each in there if each not in holding and (not each.empty or each.key == first)]
        return Enforcement(stored, bool(before))

    # ---- Following ----

    def outdate(self, first: ObjectKey) -> None:
        """The chain of a peering changed."""
        for key in _keys(first).values():
            self._wanted.pop(key, None)

    def is_removing(self, key: ObjectKey) -> None:
        """An object is on its way out, because no policy wants it."""
        self._written_for.pop(key, None)

    def forget(self, key: ObjectKey) -> None:
        """An object is gone that no policy wants."""
        self._drop(key)
        self._rules.pop(key, None)
        self._written_for.pop(key, None)

    # ---- Steps ----

    def step(self, first: ObjectKey, target: Target, now: float, recorder: Recorder) -> Result:
        """Take the next step towards what a policy wants. Raises ApiError, WriteBlocked and ChainError."""
        policy = self._state.policies.get(target.policy)
        if policy is None or policy.deleting:
            return Result(problem=None)
        self._made.clear()
        left = self._agents.look(now)
        found = self._objects.known_or_read(first, recorder)
        if found is not None and not found.managed:
            raise WriteBlocked(foreign(first))
        self._objects.known(standin_key(first), recorder)
        step = self._verified(first, target, policy, recorder)
        for slot, key in _keys(first).items():
            if step != Step(Act.REMOVE, slot):
                self._deleter.forget(key)
        match step.act:
            case Act.WRITE:
                result = self._write(first, step.slot, target, policy, recorder)
            case Act.REMOVE:
                result = self._remove(first, step.slot, policy, now, recorder)
            case Act.REFRESH:
                result = self._refresh(first, step.slot, target, recorder)
            case Act.WAIT:
                result = Result(requeue_after=left)
            case Act.BLOCKED:
                result = Result(problem=BLOCKED)
            case Act.DONE:
                result = Result()
        return self._up_to_date(first, target, policy, result)

    def _verified(self, first: ObjectKey, target: Target, policy: StoredPolicy, recorder: Recorder) -> Step:
        """The next step, by what the API server itself has where the state alone could mislead it."""
        step = self._next(first, target, policy)
        keys = _keys(first)
        stored = self._state.firewalls.get(keys[step.slot])
        match step:
            case Step(Act.WRITE, slot) if stored is None and slot is Slot.STANDIN:
                read = keys[slot]
            case Step(Act.REMOVE, slot) if stored is not None and not stored.empty and not stored.deleting:
                # What protects meanwhile has to be there, and not only to have been.
                read = keys[Slot.STANDIN if slot is Slot.FIRST else Slot.FIRST]
            case _:
                return step
        found = self._objects.read(read, recorder)
        if found is not None and not found.managed:
            raise WriteBlocked(foreign(read))
        return self._next(first, target, policy)

    def _next(self, first: ObjectKey, target: Target, policy: StoredPolicy) -> Step:
        held = {slot: self._held(first, slot, view, target, policy) for slot, view in self._pair(first).items()}
        return next_step(held[Slot.FIRST], held[Slot.STANDIN])

    def _held(
        self, first: ObjectKey, slot: Slot, stored: StoredFirewall | None, target: Target, policy: StoredPolicy
    ) -> Held | None:
        if stored is None:
            return None
        wanted = self._wanted_of(stored.key, slot, target)
        self._rules[first] = wanted.rules
        agents = self._state.agents.values()
        having, enforcing = reported(agents, stored.hosts)
        rules, exact = Rules.NONE, True
        if self._is_wanted(stored, wanted.rules):
            rules, exact = Rules.WANTED, is_as_desired(stored, wanted.digest, policy)
        elif not stored.empty:
            rules, exact = Rules.OTHER, self._refreshed.get(stored.key) == (stored.uid, wanted.digest)
        return Held(rules, exact, stored.deleting, self._agents.have_applied(stored), having, enforcing)

    def _is_wanted(self, stored: StoredFirewall, rules: str) -> bool:
        """Whether an object holds some rules, or did until somebody changed it: then it is restored."""
        return not stored.empty and (stored.rules == rules or self._writer.has_sent(rules, stored))

    def _wanted_of(self, key: ObjectKey, slot: Slot, target: Target) -> _Wanted:
        return self._wanted.get(key) or self._lay_out(key, slot, target)

    def _lay_out(self, key: ObjectKey, slot: Slot, target: Target) -> _Wanted:
        made = self._made[key] = self._state.desired.firewall(target.peering, standin=slot is Slot.STANDIN)
        wanted = self._wanted[key] = _Wanted(made.digest, made.rules, made.counts)
        return wanted

    def _desired(self, key: ObjectKey, slot: Slot, target: Target) -> DesiredFirewall:
        if key not in self._made:
            self._lay_out(key, slot, target)
        return self._made[key]

    def _write(self, first: ObjectKey, slot: Slot, target: Target, policy: StoredPolicy, recorder: Recorder) -> Result:
        key = _keys(first)[slot]
        desired = self._desired(key, slot, target)
        if policy_status.FINALIZER not in policy.finalizers:
            self._state.record_policy(policy_status.add_finalizer(self._client, policy))
        stored = self._state.firewalls.get(key)
        is_beside = stored is None and any(self._pair(first).values())
        if is_beside:
            recorder.stored(stored := self._writer.create_beside(desired, policy))
        operation, view = self._writer.write(desired, policy, stored)
        operation = "created" if is_beside else operation
        if operation != "unchanged":
            recorder.stored(view)
        done = self._next(first, target, policy) == Step(Act.DONE, Slot.FIRST)
        return Result(operation=operation, written=operation != "unchanged", requeue_after=None if done else 0.0)

    def _remove(self, first: ObjectKey, slot: Slot, policy: StoredPolicy, now: float, recorder: Recorder) -> Result:
        key = _keys(first)[slot]
        stored = self._state.firewalls[key]
        if stored.deleting and not self._is_covered(first):
            return Result(requeue_after=ENDING, problem=_ending(key))
        step = self._deleter.step(stored, self._state.agents.values(), now, drain=True)
        if step.overdue:
            note = f"{FIREWALL} {key.namespace}/{key.name}: {step.overdue}"
            self._events.record(policy, "Warning", "DeletionOverdue", note)
        if step.stored is not None and step.stored.managed:
            if step.stored != stored:
                recorder.stored(step.stored)
            late = self._deleter.has_given_up(key, now) and not self._holding(first)
            return Result(requeue_after=step.wait, problem=_ending(key) if late else "")
        self._deleter.forget(key)
        self._drop(key)
        recorder.gone(key)
        return Result(requeue_after=0.0)

    def _refresh(self, first: ObjectKey, slot: Slot, target: Target, recorder: Recorder) -> Result:
        key = _keys(first)[slot]
        desired = self._desired(key, slot, target)
        before = self._state.firewalls[key]
        view = refresh_members(self._client, key, desired)
        self._refreshed[key] = view.uid, desired.digest
        recorder.stored(view)
        return Result(written=view.generation != before.generation, requeue_after=0.0)

    def _up_to_date(self, first: ObjectKey, target: Target, policy: StoredPolicy, result: Result) -> Result:
        """The result, after it is noted whether the chain is stored as this policy wants it."""
        keys = {key: slot for slot, key in _keys(first).items()}
        for stored in self._holding(first):
            wanted = self._wanted_of(stored.key, keys[stored.key], target)
            if is_as_desired(stored, wanted.digest, policy):
                self._written_for[first] = WrittenFor(policy.uid, policy.generation, wanted.counts)
        return replace(result, related=frozenset({policy.key}))

    # ---- What is stored ----

    def _pair(self, first: ObjectKey) -> Mapping[Slot, StoredFirewall | None]:
        return {slot: self._state.firewalls.get(key) for slot, key in _keys(first).items()}

    def _holding(self, first: ObjectKey) -> list[StoredFirewall]:
        """The objects that hold the wanted rules, and stay."""
        rules = self._rules.get(first)
        stored = [each for each in self._pair(first).values() if each is not None and not each.deleting]
        return [each for each in stored if rules is not None and self._is_wanted(each, rules)]

    def _is_covered(self, first: ObjectKey) -> bool:
        return any(each is not None and not each.deleting and not each.empty for each in self._pair(first).values())

    def _drop(self, key: ObjectKey) -> None:
        self._writer.forget(key)
        self._wanted.pop(key, None)
        self._refreshed.pop(key, None)


def _keys(first: ObjectKey) -> Mapping[Slot, ObjectKey]:
    return {Slot.FIRST: first, Slot.STANDIN: standin_key(first)}


def _ending(key: ObjectKey) -> str:
    return f"{FIREWALL} {key.namespace}/{key.name} is still being deleted and is created again afterwards"
