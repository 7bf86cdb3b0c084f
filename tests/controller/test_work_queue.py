"""Which objects a change of the state schedules, and how many writes share a rate."""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY
from liqo_connectivity.operator.controller.reconcile.work_queue import WorkQueue
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership, Target
from liqo_connectivity.operator.controller.state.state import Changes


class Peerings(Ownership):
    """As much of the ownership as a work queue asks for: a FirewallConfiguration and a policy of each peering."""

    def __init__(self, count: int) -> None:
        self.keys = {f"p{number}": ObjectKey(FIREWALL, f"t{number}", "c") for number in range(count)}

    def firewalls_of(self, peerings: Mapping[str, int]) -> dict[ObjectKey, int]:
        return {self.keys[peering]: count for peering, count in peerings.items()}

    def target(self, firewall: ObjectKey) -> Target | None:
        found = [peering for peering, key in self.keys.items() if key == firewall]
        return Target(found[0], self.policy_of(firewall)) if found else None

    def policy_of(self, firewall: ObjectKey) -> ObjectKey:
        return ObjectKey(POLICY, firewall.namespace, "guard")

    def firewall_of(self, policy: ObjectKey) -> ObjectKey | None:
        return ObjectKey(FIREWALL, policy.namespace, "c") if policy.name == "guard" else None

    def everything(self) -> tuple[set[ObjectKey], set[ObjectKey]]:
        return set(self.keys.values()), {self.policy_of(key) for key in self.keys.values()}


def written(queue: WorkQueue, peerings: Peerings, seconds: float) -> dict[ObjectKey, list[float]]:
    """When each object is written while all of them change all the time."""
    found: dict[ObjectKey, list[float]] = {key: [] for key in peerings.keys.values()}
    for number in range(int(seconds * 100)):
        now = number / 100
        queue.add_changes(Changes({f"p{number % len(found)}": 1}), now)
        while (key := queue.take_firewall(now)) is not None:
            found[key].append(now)
            queue.written(key, now)
    return found


def test_objects_that_change_all_the_time_share_the_rate() -> None:
    peerings = Peerings(20)
    queue = WorkQueue(peerings, Settings(write_rate=30))
    found = written(queue, peerings, 20.0)
    assert sum(map(len, found.values())) == pytest.approx(20 * 30, rel=0.05)
    for times in found.values():
        assert max(after - before for before, after in pairwise(times)) <= 20 / 30 + 0.25, "none is forgotten"


def test_few_objects_are_written_as_if_there_were_no_rate() -> None:
    peerings = Peerings(2)
    queue = WorkQueue(peerings, Settings(write_rate=30, write_interval=0.5))
    for times in written(queue, peerings, 10.0).values():
        assert len(times) == pytest.approx(20, abs=1)


def test_the_queue_wakes_nobody_before_a_write_is_allowed() -> None:
    peerings = Peerings(20)
    queue = WorkQueue(peerings, Settings(write_rate=4))
    queue.add_changes(Changes(dict.fromkeys(peerings.keys, 1)), 0.0)
    while (key := queue.take_firewall(0.0)) is not None:
        queue.written(key, 0.0)
    due = queue.next_due()
    assert 0.0 < due <= 0.25
    assert queue.take_firewall(due - 0.001) is None
    assert queue.take_firewall(due) is not None


def test_a_queue_is_settled_when_nothing_is_waiting_but_what_is_known_to_fail() -> None:
    peerings = Peerings(1)
    failing = set[ObjectKey]()
    queue = WorkQueue(peerings, Settings())
    assert queue.is_settled(failing)
    queue.add_changes(Changes({"p0": 1}), 0.0)
    assert not queue.is_settled(failing)
    key = queue.take_firewall(0.0)
    assert key is not None
    assert queue.is_settled(failing)
    queue.add_rate_limited(key, 0.0)
    assert not queue.is_settled(failing)
    failing.add(key)
    assert queue.is_settled(failing)


def test_an_edited_policy_is_reconciled_at_once_with_its_object_whatever_failed() -> None:
    peerings = Peerings(1)
    queue = WorkQueue(peerings, Settings())
    firewall, policy = peerings.keys["p0"], peerings.policy_of(peerings.keys["p0"])
    for key in (firewall, policy):
        queue.add_rate_limited(key, 0.0, at_least=60.0)
    queue.add_changes(Changes(policies=frozenset({policy})), 1.0)
    assert (queue.take_firewall(1.0), queue.take_policy(1.0)) == (None, None)
    queue.add_changes(Changes(policies=frozenset({policy}), edited=frozenset({policy})), 1.0)
    assert (queue.take_firewall(1.0), queue.take_policy(1.0)) == (firewall, policy)


def test_a_stored_object_that_changed_is_reconciled_with_the_policy_that_reports_on_it() -> None:
    peerings = Peerings(2)
    queue = WorkQueue(peerings, Settings())
    firewall = peerings.keys["p1"]
    queue.add_changes(Changes(firewalls=frozenset({firewall})), 0.0)
    assert queue.take_firewall(0.0) == firewall
    assert queue.take_firewall(0.0) is None
    assert queue.take_policy(0.0) == peerings.policy_of(firewall)
    assert queue.take_policy(0.0) is None


def test_thousands_of_objects_of_one_namespace_keep_no_other_waiting() -> None:
    peerings = Peerings(3)
    queue = WorkQueue(peerings, Settings())
    flood = [ObjectKey(kind, "t0", f"x{number}") for number in range(1000) for kind in (FIREWALL, POLICY)]
    for key in flood:
        queue.add(key, 0.0)
    for firewall in peerings.keys.values():
        queue.add(firewall, 1.0)
        queue.add(peerings.policy_of(firewall), 1.0)
    taken = [(queue.take_firewall(1.0), queue.take_policy(1.0)) for _ in range(8)]
    assert {*peerings.keys.values()} <= {firewall for firewall, _ in taken}
    assert {*map(peerings.policy_of, peerings.keys.values())} <= {policy for _, policy in taken}
    # Nor does the flood wait for ever.
    assert sum(firewall in flood for firewall, _ in taken) >= 4
