"""The facts that an observed object asserts, and the fact that replaces facts which cannot be evaluated."""

from liqo_connectivity.facts import Fact, ObjectKey, Problem, Row, firewall_configuration, one_line, unreadable
from liqo_connectivity.operator.controller.objects.keys import policy_symbol
from liqo_connectivity.operator.controller.objects.stored import Observed, StoredFirewall, StoredPolicy
from liqo_connectivity.rules.relations import Policy, PolicyTerminating, Unreadable

Facts = tuple[Fact, ...]


def rows_of(facts: Facts) -> list[Row]:
    """The rows of facts, in their order."""
    return [fact.row for fact in facts]


def asserted_by(observed: Observed) -> Facts:
    """The facts that an object asserts: those that were read from it, or those of its view."""
    stored = observed.stored
    if isinstance(stored, StoredFirewall):
        return firewall_configuration(stored.key, stored.uid, stored.resource_version, stored.owner)
    if isinstance(stored, StoredPolicy) and stored.deleting and _is_unreadable(observed.facts):
        # Its spec does not matter any more, and nothing may wait for it to become readable.
        key, source = stored.key, observed.facts[0].source
        symbol = policy_symbol(key)
        return (
            Fact(Policy(symbol, key.namespace), source, "/metadata/name", key.name),
            Fact(PolicyTerminating(symbol), source, "/metadata/deletionTimestamp", True),
        )
    return observed.facts


def _is_unreadable(facts: Facts) -> bool:
    return bool(facts) and isinstance(facts[0].row, Unreadable)


def not_evaluated(key: ObjectKey, facts: Facts, error: Exception) -> Fact:
    """The fact that replaces an object's facts if they cannot be evaluated: that it is unreadable, and why."""
    uid, version = (facts[0].source.uid, facts[0].source.resource_version) if facts else ("", "")
    problem = Problem(
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        message=f"cannot be evaluated: {one_line(str(error))}",
        help="correct the object",
    )
    return unreadable(problem, uid, version)[1]
