"""The outcome of each policy: what the rules derive about it, gathered from their tuples."""

from collections import defaultdict
from dataclasses import dataclass
from typing import cast

from liqo_connectivity.engine import Row
from liqo_connectivity.facts import ObjectKey, policy_field_hint
from liqo_connectivity.operator.controller.objects.keys import firewall_key, object_key, policy_symbol
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.explain.reasons import sentence

Why = tuple[str, str, str, str]
"""Reason, and kind, name and detail of the object at fault."""


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """What rules derive about one policy.

    ``refused`` are the reasons why it is not accepted, ``waiting`` those why its chain cannot be derived or stored, both
    sorted. ``invalid`` locates the error in each wrong rule. ``warnings`` block nothing. ``peering`` is the one that it
    governs, empty for none, and ``firewall`` the object of that. ``draining`` are the objects that have to be gone before
    the policy may be released.
    """

    refused: tuple[Why, ...] = ()
    invalid: tuple[str, ...] = ()
    waiting: tuple[Why, ...] = ()
    warnings: tuple[str, ...] = ()
    peering: str = ""
    firewall: ObjectKey | None = None
    draining: tuple[ObjectKey, ...] = ()


class PolicyOutcomes:
    """The outcomes of all policies at one moment; valid until what the rules derive changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._false = _grouped(state.rows("condition_false"))
        self._draining = _grouped(state.rows("draining"))
        self._findings = _grouped(state.rows("policy_finding"))
        self._governed = {str(policy): str(peering) for peering, policy in state.rows("governing")}
        self._unreadable = {
            (str(row[0]), str(row[1])): tuple(map(str, row[2:])) for row in state.rows("condition_unreadable")
        }

    def of(self, key: ObjectKey) -> PolicyOutcome:
        """The outcome of one policy."""
        symbol = policy_symbol(key)
        reasons: dict[str, list[Why]] = defaultdict(list)
        for _, condition, *why in self._false.get(symbol, ()):
            reasons[str(condition)].append(cast("Why", tuple(map(str, why))))
        unread = self._unreadable.get((key.namespace, key.name))
        if unread is not None:
            condition, reason, problem = unread
            reasons[condition].append((reason, key.kind, symbol, problem))
        peering = self._governed.get(symbol, "")
        warnings = tuple(sentence(code, key.kind, symbol, detail) for _, code, detail in self._findings.get(symbol, ()))
        return PolicyOutcome(
            refused=tuple(sorted(reasons["Accepted"])),
            invalid=self._invalid(symbol) if reasons["Accepted"] else (),
            waiting=tuple(sorted(reasons["Programmed"])),
            warnings=warnings,
            peering=peering,
            firewall=firewall_key(key.namespace, peering) if peering else None,
            draining=tuple(object_key(FIREWALL, firewall) for _, firewall in self._draining.get(symbol, ())),
        )

    def _invalid(self, symbol: str) -> tuple[str, ...]:
        found = [
            f"InvalidPolicy: {field}: there is no such field ({policy_field_hint(str(field))})"
            for policy, field in self._state.rows("invalid_field")
            if policy == symbol
        ]
        groups = ", ".join(sorted({str(group) for group, _ in self._state.rows("group")}))
        for policy, rule, field, problem in self._state.rows("invalid_rule"):
            if policy == symbol:
                named = f" (the groups are {groups})" if problem == "there is no such group" else ""
                found.append(f"InvalidPolicy: /spec/rules/{rule}/{field}: {problem}{named}")
        return tuple(found)


def _grouped(rows: list[Row]) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row[0])].append(row)
    return found
