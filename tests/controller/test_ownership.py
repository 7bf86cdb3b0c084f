"""The ownership view: which policy each FirewallConfiguration is written for, and which ones are to be removed."""

from liqo_connectivity.engine import Row
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY, StoredFirewall
from liqo_connectivity.operator.controller.state.ownership import Ownership, Target
from liqo_connectivity.operator.controller.state.state import Changes, State
from tests.support.clusters import program

MILAN = ObjectKey(FIREWALL, "t", "milan-connectivity")
NAPLES = ObjectKey(FIREWALL, "u", "naples-connectivity")
BY_HAND = ObjectKey(FIREWALL, "u", "by-hand")
GUARD = ObjectKey(POLICY, "t", "guard")
ROWS: dict[str, list[Row]] = {
    "writable": [("milan", "t", "t/guard")],
    "governing": [("milan", "t/guard"), ("naples", "u/waits")],
    "removal": [("u/by-hand", "delete"), ("u/old-connectivity", "drain")],
}


class Derived(State):
    """A state with the tuples that a test gives it."""

    def __init__(self, rows: dict[str, list[Row]]) -> None:
        super().__init__(program())
        self.given = rows

    def rows(self, relation: str) -> list[Row]:
        return self.given[relation]


def stored(key: ObjectKey, owner: str) -> StoredFirewall:
    return StoredFirewall(key, "u", "1", 1, False, "p", owner, "", "", False, (), ())


def owned() -> tuple[Ownership, Derived]:
    state = Derived(ROWS)
    ownership = Ownership(state)
    ownership.follow(Changes(derived=True))
    return ownership, state


def test_what_is_written_and_what_is_removed() -> None:
    ownership, _ = owned()
    assert ownership.target(MILAN) == Target("milan", GUARD)
    assert ownership.target(NAPLES) is None, "its policy governs, and is pending"
    assert (ownership.removal(BY_HAND), ownership.removal(MILAN)) == ("delete", None)
    assert ownership.removal(ObjectKey(FIREWALL, "u", "old-connectivity")) == "drain"
    assert ownership.firewalls_of({"milan": 3, "naples": 2}) == {MILAN: 3}


def test_the_governor_reports_on_an_object_and_else_its_stored_owner() -> None:
    ownership, state = owned()
    assert ownership.policy_of(MILAN) == GUARD
    assert ownership.firewall_of(GUARD) == MILAN
    assert ownership.firewall_of(ObjectKey(POLICY, "t", "other")) is None
    assert ownership.policy_of(BY_HAND) is None
    state.firewalls[BY_HAND] = stored(BY_HAND, "former")
    assert ownership.policy_of(BY_HAND) == ObjectKey(POLICY, "u", "former")
    assert ownership.everything()[0] == {MILAN, BY_HAND}


def test_it_follows_what_rules_derive_and_nothing_else() -> None:
    ownership, state = owned()
    state.given = {"writable": [], "governing": [], "removal": [("t/milan-connectivity", "drain")]}
    ownership.follow(Changes(peerings={"milan": 1}))
    assert ownership.target(MILAN) is not None
    ownership.follow(Changes(derived=True))
    assert ownership.target(MILAN) is None
    assert ownership.removal(MILAN) == "drain"
    assert ownership.policy_of(MILAN) is None
