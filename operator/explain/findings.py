"""Problems of policies, a line each, from derived tuples."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import groupby
from operator import itemgetter
from typing import Final

from liqo_connectivity.engine import Model, Value
from liqo_connectivity.facts import policy_field_hint
from liqo_connectivity.operator.explain.parties import rule_name
from liqo_connectivity.operator.explain.reasons import by_cause, in_namespace, sentence

_ACTIONS: Final = ("allow", "deny")
_BEYOND: Final = ("TooLarge", "NotEnforceable")
"""The reasons of policies that are valid, and that what loads the chains cannot take."""


def invalid_rules(model: Model, namespace: str) -> list[str]:
    """List the invalid fields and rules of policies, with what is near to a field, an action or a group that is unknown."""
    lines: list[str] = []
    for policy, field in in_namespace(model.rows("invalid_field"), namespace):
        lines.append(f"error: PeeringConnectivity {policy} {field}: there is no such field")
        lines.append(f"  = help: {policy_field_hint(str(field))}")
    groups = sorted({str(group) for group, _ in model.rows("group")})
    for policy, rule, field, problem in in_namespace(model.rows("invalid_rule"), namespace):
        name = rule_name(model, policy, rule)
        mark = f" (rule {rule}{name})" if name else ""
        lines.append(f"error: PeeringConnectivity {policy} /spec/rules/{rule}/{field}: {problem}{mark}")
        named = [group for *place, group in model.rows("policy_party_group") if place == [policy, rule, field]]
        if named and named[0] not in groups:
            near = get_close_matches(str(named[0]).lower(), groups, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            lines.append(f"  = help: {hint}the groups are {', '.join(groups)}; --rules adds others")
        actions = [
            action for *place, action in model.rows("policy_action") if (*place, field) == (policy, rule, "action")
        ]
        lines += _near_action(actions)
    for policy, problem in in_namespace(model.rows("invalid_default"), namespace):
        lines.append(f"error: PeeringConnectivity {policy} {problem}")
        lines += _near_action(action for of, action in model.rows("policy_default") if of == policy)
    return lines


def _near_action(written: Iterable[object]) -> list[str]:
    near = [match for action in written for match in get_close_matches(str(action).lower(), _ACTIONS, 1)]
    return [f"  = help: did you mean {near[0]}?"] if near else []


def pending(model: Model, namespace: str) -> list[tuple[str, str, str]]:
    """List the pending policies with each reason and its sentence. What differs only in detail is one sentence."""
    rows = in_namespace(model.rows("pending"), namespace)
    return [
        (str(policy), str(reason), line)
        for policy, own in groupby(rows, itemgetter(0))
        for (reason, _, _), line in by_cause((reason, kind, found, detail) for _, reason, kind, found, detail in own)
    ]


def misplaced(model: Model, namespace: str) -> list[str]:
    """List the policies outside a tenant namespace: they govern nothing."""
    found = set(model.rows("misplaced"))
    return [
        f"error: PeeringConnectivity {policy}: {line}"
        for policy, reason, line in pending(model, namespace)
        if (policy, reason) in found
    ]


def beyond_enforcer(model: Model, namespace: str) -> list[str]:
    """List the policies whose chain does not fit, or says what Liqo's agents cannot match."""
    return [
        f"error: PeeringConnectivity {policy} is pending: {line}"
        for policy, reason, line in pending(model, namespace)
        if reason in _BEYOND
    ]


def waiting(model: Model, namespace: str) -> list[str]:
    """List the valid policies that are pending, and what they wait for."""
    known = set(model.rows("misplaced"))
    return [
        f"note: PeeringConnectivity {policy} is pending: {line}"
        for policy, reason, line in pending(model, namespace)
        if (policy, reason) not in known and reason not in ("InvalidPolicy", *_BEYOND)
    ]


def without_policies(model: Model) -> list[str]:
    """Say that files hold no policy, if they do not."""
    if not model.contains("kind_absent", ("PeeringConnectivity",)):
        return []
    return [f"note: {sentence('KindAbsent', '', '', 'PeeringConnectivity')}"]


def shadowed(model: Model, namespace: str) -> list[str]:
    """List the rules of policies that never decide because an earlier rule matches all that they match."""
    return [
        f"warning: {place}: never decides, rule {by}{rule_name(model, policy, by)} matches all that it matches"
        for policy, place, by in _rules(model, "shadowed", namespace)
    ]


def redundant(model: Model, namespace: str) -> list[str]:
    """List the rules of policies that change nothing: what would decide without them decides alike.

    They are notes: a rule may stand there to be read.
    """
    lines: list[str] = []
    for policy, place, origin, by in _rules(model, "redundant", namespace):
        decider = f"rule {by}{rule_name(model, policy, by)}" if origin == "rule" else "the default"
        lines.append(f"note: {place}: changes nothing, {decider} decides alike on all that it matches")
    return lines


def _rules(model: Model, relation: str, namespace: str) -> Iterator[tuple[Value, ...]]:
    """Give rows about a rule of a peering: the policy, the rule as the place of a message, and the other columns."""
    governing = {peering: policy for peering, policy in model.rows("governing")}  # noqa: C416  dict() loses the types
    rows = [(governing[peering], *rest) for peering, *rest in model.rows(relation)]
    for policy, rule, *others in in_namespace(rows, namespace):
        name = rule_name(model, policy, rule)
        yield policy, f"PeeringConnectivity {policy} /spec/rules/{rule}{name}", *others
