"""The state: the facts, what the rules derive from them, and the stored objects, brought up to date batch by batch.

Only the control loop's thread changes the state and reads what is derived. Reflectors ask whether an object is news, and
the state server takes all facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

from liqo_connectivity import chains
from liqo_connectivity.engine import Delta, Program, Row
from liqo_connectivity.facts import ObjectKey, enforcing, without_labels
from liqo_connectivity.operator.controller.objects.asserted_facts import Facts, asserted_by, rows_of
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
from liqo_connectivity.operator.controller.state.fact_database import FactDatabase
from liqo_connectivity.operator.controller.state.known_labels import KnownLabels

POLICY_GOALS: Final = ("condition_false", "invalid_rule", "invalid_field", "governing", "policy_finding", "draining")
"""Relations about policies; in each of them a column is a policy."""
OUTCOMES: Final = (*POLICY_GOALS, "condition_unreadable", "writable", "removal")
"""Relations that say what is to be done about policies and FirewallConfigurations."""
GOALS: Final = (*chains.COLUMNS, *OUTCOMES, "group")
"""Everything that the controller asks for; rules that none of it needs are not evaluated."""
_POLICY_COLUMN: Final[Mapping[str, int]] = {name: int(name == "governing") for name in POLICY_GOALS}

_View = TypeVar("_View", StoredFirewall, StoredPolicy)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch changed.

    ``peerings`` are those whose chain changed, each with roughly the number of pods that did. ``policies`` are those whose
    stored object or outcome changed, ``edited`` the ones among them of which more than the status changed. ``firewalls``
    are those whose stored object changed, or whether they are to be written or removed. ``agents`` says that one of Liqo's
    agents came, went or changed, ``derived`` that a relation of ``OUTCOMES`` changed.
    """

    peerings: Mapping[str, int] = field(default_factory=dict[str, int])
    policies: frozenset[ObjectKey] = frozenset()
    edited: frozenset[ObjectKey] = frozenset()
    firewalls: frozenset[ObjectKey] = frozenset()
    agents: bool = False
    derived: bool = False


class State:
    """What the controller knows. ``policies``, ``firewalls`` and ``agents`` are the stored objects by key: read only."""

    def __init__(self, program: Program) -> None:
        self.policies: dict[ObjectKey, StoredPolicy] = {}
        self.firewalls: dict[ObjectKey, StoredFirewall] = {}
        self.agents: dict[ObjectKey, Agent] = {}
        self.desired = DesiredFirewalls()
        self._facts = FactDatabase(program, GOALS, enforcing(MANAGER))
        self._labels = KnownLabels()
        # Held while the stored objects change, and while a reflector looks at one. The objects are immutable.
        self._stored = Lock()

    # ---- Changing ----

    def apply(self, batch: Mapping[tuple[str, ObjectKey], Observed | None]) -> Changes:
        """Take over what objects are now, None being gone. The first batch has to be the whole cluster."""
        policies: set[ObjectKey] = set()
        edited: set[ObjectKey] = set()
        firewalls: set[ObjectKey] = set()
        agents = False
        asserted: dict[ObjectKey, Facts] = {}
        with self._stored:
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
                        # An answer was ahead of its watch, but did not say what it asserts.
                        if before != stored:
                            continue
                    else:
                        policies.add(key)
                        if _identity(before) != _identity(self.policies.get(key)):
                            edited.add(key)
                asserted[key] = asserted_by(observed) if observed is not None else ()
                self._labels.see(key, observed)
        for key in self._labels.follow(asserted) - asserted.keys():
            asserted[key] = without_labels(self._facts.facts_of(key))
        delta = self._facts.commit({key: self._labels.labelled(key, facts) for key, facts in asserted.items()})
        derived = any(name in delta.changes for name in OUTCOMES)
        if derived:
            edited |= _policies_of(delta)
            firewalls |= _firewalls_of(delta)
        peerings = self.desired.follow(delta)
        return Changes(peerings, frozenset(policies | edited), frozenset(edited), frozenset(firewalls), agents, derived)

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
        """Take over what an answer says of a policy, unless it is about another generation than the facts are."""
        with self._stored:
            known = self.policies.get(view.key)
            if known is not None and _identity(known) == _identity(view):
                _see(self.policies, view.key, view)

    # ---- Reading ----

    @property
    def number(self) -> int:
        """Grows with every batch that changed a fact."""
        return self._facts.number

    def rows(self, relation: str) -> list[Row]:
        """The tuples of a relation of ``GOALS``, sorted."""
        return self._facts.rows(relation)

    def counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many facts, and how many tuples, each relation has."""
        return self._facts.counts()

    def named_rules(self) -> list[tuple[str, str, str, str]]:
        """The rules of governing policies that have a name: peering, index, name and action, sorted."""
        peerings = {policy: peering for peering, policy in self.rows("governing")}
        actions = {(policy, rule): action for policy, rule, action in self.rows("policy_action")}
        named = [
            (str(peerings[policy]), str(rule), str(name), str(actions.get((policy, rule), "")))
            for policy, rule, name in self.rows("policy_rule_name")
            if policy in peerings
        ]
        return sorted(named)

    def is_news(self, key: ObjectKey, observed: Observed | None) -> bool:
        """Whether an object differs from its last applied state, ignoring resourceVersion; for any thread."""
        if observed is None:
            return True
        with self._stored:
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
        if self._labels.are_news(key, observed.labels):
            return True
        return rows_of(without_labels(self._facts.facts_of(key))) != rows_of(asserted_by(observed))

    def facts(self) -> tuple[int, Facts]:
        """The number of the state and every fact of it, in no order; for any thread."""
        return self._facts.facts()


def _see(known: dict[ObjectKey, _View], key: ObjectKey, view: _View | None) -> bool:
    """Take over what an object is now; whether that is news. An answer may be ahead of the watch."""
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
