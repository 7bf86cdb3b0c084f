"""The state: facts, what follows from them, and the stored objects, brought up to date one batch at a time.

A batch is one transaction of the database, however many objects it changes. An object whose facts cannot be evaluated
becomes unreadable by itself and keeps no other from being judged. Only the controller's thread changes the state; the
facts may be taken by any thread. This module must not know what is done about a change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

from liqo_connectivity import chains
from liqo_connectivity.engine import EvaluationError, FactError, Program, Row
from liqo_connectivity.engine.incremental.database import Database
from liqo_connectivity.engine.incremental.transactions import Delta
from liqo_connectivity.facts import FactBase, ObjectKey
from liqo_connectivity.facts.extraction.controller_facts import enforcing
from liqo_connectivity.operator.controller.objects.asserted_facts import Facts, asserted_by, not_evaluated, rows_of
from liqo_connectivity.operator.controller.objects.keys import firewall_key, object_key, policy_key
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    MANAGER,
    POLICY,
    Agent,
    Observed,
    StoredFirewall,
    StoredPolicy,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewalls

POLICY_GOALS: Final = ("condition_false", "invalid_rule", "governing", "role_mismatch", "draining")
"""Relations about policies; in each of them a column is a policy."""
JUDGEMENTS: Final = (*POLICY_GOALS, "condition_unreadable", "writable", "removal")
"""Relations that say what is to be done about policies and objects."""
GOALS: Final = (*chains.COLUMNS, *JUDGEMENTS, "group")
"""Everything that the controller asks for; rules that none of it needs are not evaluated."""
_POLICY_COLUMN: Final[Mapping[str, int]] = {name: int(name == "governing") for name in POLICY_GOALS}

_View = TypeVar("_View", StoredFirewall, StoredPolicy)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch changed.

    ``peerings`` are those whose chain changed, with the number of pods about; ``policies`` those that are stored or
    judged otherwise, ``edited`` the ones among them of which more than the status changed; ``firewalls`` those that are
    stored otherwise, or to be written or removed otherwise. ``judged`` says that rules say something else of any of them.
    """

    peerings: Mapping[str, int] = field(default_factory=dict[str, int])
    policies: frozenset[ObjectKey] = frozenset()
    edited: frozenset[ObjectKey] = frozenset()
    firewalls: frozenset[ObjectKey] = frozenset()
    agents: bool = False
    judged: bool = False


class State:
    """What the controller knows. ``number`` grows with every batch that changed a fact.

    ``policies``, ``firewalls`` and ``agents`` are the stored objects by key, not to be changed by others.
    """

    def __init__(self, program: Program) -> None:
        self.number = 0
        self.policies: dict[ObjectKey, StoredPolicy] = {}
        self.firewalls: dict[ObjectKey, StoredFirewall] = {}
        self.agents: dict[ObjectKey, Agent] = {}
        self.desired = DesiredFirewalls()
        self._base = FactBase()
        self._database = Database(program.slice(GOALS))
        self._loaded = False
        self._lock = Lock()
        own = enforcing(MANAGER)
        self._base.replace(own[0].source.key, own)

    # ---- Changing ----

    def apply(self, batch: Mapping[tuple[str, ObjectKey], Observed | None]) -> Changes:
        """Take over what objects are now, None being gone. The first batch has to be the whole cluster."""
        with self._lock:
            policies: set[ObjectKey] = set()
            edited: set[ObjectKey] = set()
            firewalls: set[ObjectKey] = set()
            agents = False
            asserted: dict[ObjectKey, Facts] = {}
            for (_, key), observed in batch.items():
                stored = observed.stored if observed is not None else None
                if isinstance(stored, Agent) or key in self.agents:
                    agents |= self._see_agent(key, stored if isinstance(stored, Agent) else None)
                    continue
                if isinstance(stored, StoredFirewall) or key in self.firewalls:
                    if not _see(self.firewalls, key, stored if isinstance(stored, StoredFirewall) else None):
                        continue
                    firewalls.add(key)
                elif isinstance(stored, StoredPolicy) or key in self.policies:
                    before = self.policies.get(key)
                    if not _see(self.policies, key, stored if isinstance(stored, StoredPolicy) else None):
                        # An answer told of it before its watch, but not what it asserts.
                        if before != stored:
                            continue
                    else:
                        policies.add(key)
                        if _identity(before) != _identity(self.policies.get(key)):
                            edited.add(key)
                asserted[key] = asserted_by(observed) if observed is not None else ()
            delta = self._commit(asserted)
        judged = any(name in delta.changes for name in JUDGEMENTS)
        if judged:
            edited |= _policies_of(delta)
            firewalls |= _firewalls_of(delta)
        peerings = self.desired.follow(delta)
        return Changes(peerings, frozenset(policies | edited), frozenset(edited), frozenset(firewalls), agents, judged)

    def _see_agent(self, key: ObjectKey, view: Agent | None) -> bool:
        before = self.agents.get(key)
        if view is not None:
            self.agents[key] = view
        else:
            self.agents.pop(key, None)
        return before != view

    def record_firewall(self, view: StoredFirewall) -> Changes:
        """Take over what an answer says of a FirewallConfiguration, before its watch does."""
        return self.apply({(FIREWALL, view.key): Observed((), view)})

    def record_policy(self, view: StoredPolicy) -> None:
        """Take over what an answer says of a policy, unless that is about another generation than the facts are."""
        known = self.policies.get(view.key)
        if known is not None and _identity(known) == _identity(view):
            _see(self.policies, view.key, view)

    # ---- Facts and what follows ----

    def _commit(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        if not self._loaded:
            return self._load(asserted)
        before = {key: self._base.facts_of(key) for key in asserted}
        try:
            return self._transact(asserted)
        except (EvaluationError, FactError) as error:
            for key, facts in before.items():
                self._base.replace(key, facts)
            return self._commit_parts(asserted, error)

    def _load(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        for key, facts in asserted.items():
            self._base.replace(key, facts)
        self._loaded = True
        try:
            self._database.load(dict(self._base.relations()))
            delta = self._everything()
        except (EvaluationError, FactError) as error:
            for key in asserted:
                self._base.remove(key)
            self._database.load(dict(self._base.relations()))
            self._commit_parts(asserted, error)
            delta = self._everything()
        self._database.prepare()
        self.number += 1
        return delta

    def _everything(self) -> Delta:
        return Delta.of((name, (), self._database.rows(name)) for name in GOALS)

    def _transact(self, asserted: Mapping[ObjectKey, Facts]) -> Delta:
        netted: dict[tuple[str, Row], bool] = {}
        for key, facts in asserted.items():
            changed = self._base.replace(key, facts)
            for change in changed.removed:
                netted[change] = False
            for change in changed.added:
                netted[change] = True
        if not netted:
            return Delta({})
        with self._database.txn() as transaction:
            for (relation, row), present in netted.items():
                if present:
                    transaction.insert(relation, row)
                else:
                    transaction.delete(relation, row)
        self.number += 1
        return transaction.delta

    def _commit_parts(self, asserted: Mapping[ObjectKey, Facts], error: Exception) -> Delta:
        """Commit what can be committed, half by half; an object that cannot be by itself becomes unreadable."""
        keys = sorted(asserted)
        if len(keys) == 1:
            ((key, facts),) = asserted.items()
            return self._transact({key: (not_evaluated(key, facts, error),)})
        half = len(keys) // 2
        total: dict[tuple[str, Row], int] = {}
        for part in (keys[:half], keys[half:]):
            delta = self._commit({key: asserted[key] for key in part})
            for name, (removed, added) in delta.changes.items():
                for row in removed:
                    total[name, row] = total.get((name, row), 0) - 1
                for row in added:
                    total[name, row] = total.get((name, row), 0) + 1
        changes = [(name, [row], ()) if sign < 0 else (name, (), [row]) for (name, row), sign in total.items() if sign]
        return _merged(changes)

    # ---- Reading ----

    def rows(self, relation: str) -> list[Row]:
        """The tuples of a relation of ``GOALS``, sorted."""
        return self._database.rows(relation)

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many facts, and how many tuples, each relation has."""
        return self._base.counts(), {name: len(self._database.relation(name)) for name in GOALS}

    def is_news(self, key: ObjectKey, observed: Observed | None) -> bool:
        """Whether an object is otherwise than it was taken over last, but for its version; may be called by any thread."""
        if observed is None:
            return True
        match observed.stored:
            case None:
                pass
            case StoredFirewall() as view:
                return self.firewalls.get(key) != view
            case StoredPolicy() as view:
                if self.policies.get(key) != view:
                    return True
            case Agent() as view:
                return self.agents.get(key) != view
        return rows_of(self._base.facts_of(key)) != rows_of(asserted_by(observed))

    def facts(self) -> tuple[int, Facts]:
        """The number of the state and every fact of it, in no order; may be called by any thread."""
        with self._lock:
            return self.number, tuple(self._base.facts())


def _see(known: dict[ObjectKey, _View], key: ObjectKey, view: _View | None) -> bool:
    """Take over what an object is now; whether that is news. An answer may have told more than a watch that is behind."""
    before = known.get(key)
    if view is None:
        return known.pop(key, None) is not None
    if before == view or (before is not None and before.uid == view.uid and _is_older(view, before)):
        return False
    known[key] = view
    return True


def _is_older(one: StoredFirewall | StoredPolicy, other: StoredFirewall | StoredPolicy) -> bool:
    versions = one.resource_version, other.resource_version
    return all(map(str.isdecimal, versions)) and int(versions[0]) < int(versions[1])


def _identity(policy: StoredPolicy | None) -> tuple[str, int, bool] | None:
    """What changes with a policy but not with its status or finalizers."""
    return (policy.uid, policy.generation, policy.deleting) if policy is not None else None


def _policies_of(delta: Delta) -> set[ObjectKey]:
    """The policies that some tuples that came or went are about."""
    found: set[ObjectKey] = set()
    for name in POLICY_GOALS:
        removed, added = delta[name]
        found.update(policy_key(row[_POLICY_COLUMN[name]]) for row in (*removed, *added))
    removed, added = delta["condition_unreadable"]
    found.update(ObjectKey(POLICY, str(row[0]), str(row[1])) for row in (*removed, *added))
    return found


def _firewalls_of(delta: Delta) -> set[ObjectKey]:
    """The FirewallConfigurations that are to be written or removed, or not any more."""
    removed, added = delta["removal"]
    found = {object_key(FIREWALL, row[0]) for row in (*removed, *added)}
    removed, added = delta["writable"]
    return found | {firewall_key(row[1], row[0]) for row in (*removed, *added)}


def _merged(changes: Iterable[tuple[str, Iterable[Row], Iterable[Row]]]) -> Delta:
    removed: dict[str, list[Row]] = {}
    added: dict[str, list[Row]] = {}
    for name, left, came in changes:
        removed.setdefault(name, []).extend(left)
        added.setdefault(name, []).extend(came)
    return Delta.of((name, removed[name], added[name]) for name in removed)
