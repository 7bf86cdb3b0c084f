"""A proof without a search: for each tuple the instance with the best bounds.

The fallback when a search exceeds its budget. It uses the choices that the search has settled. For other tuples, an
instance may need only tuples that precede its head, by component, or by rank within a recursive component. So no choice
leads back to itself, and there always is one: the instance that gives the tuple its rank. Where a rule has too many
instances to list them, the first one in sorted order is taken.
"""

from typing import Final

from liqo_connectivity.engine.proofs.allowance import Allowance, FirstOnly, OverBudgetError
from liqo_connectivity.engine.proofs.backward_rule import BackwardRule
from liqo_connectivity.engine.proofs.derivation_graph import GIVEN, Choice
from liqo_connectivity.engine.proofs.least_height import Search
from liqo_connectivity.engine.proofs.rule_instances import Instance, Tuple

LISTED: Final = 10_000
"""The number of instances that a choice without a search lists for all tuples together."""


def choose_without_search(goal: Tuple, search: Search) -> dict[Tuple, Choice]:
    """Choose an instance for a goal and for everything that it needs, by the best bounds that the search has found."""
    chosen: dict[Tuple, Choice] = {}
    looked = Allowance(LISTED), FirstOnly()
    pending = [goal]
    while pending:
        current = pending.pop()
        if current in chosen:
            continue
        if search.rules.is_given(current):
            chosen[current] = GIVEN
            continue
        choice = chosen[current] = search.settled.get(current) or _best(current, search, *looked)
        if choice.instance is not None:
            pending.extend(choice.instance[1])
    return chosen


def _best(goal: Tuple, search: Search, allowance: Allowance, looked: FirstOnly) -> Choice:
    def instances(rule: BackwardRule) -> list[Instance]:
        try:
            return rule.instances(goal[1], allowance)
        except OverBudgetError:
            first = rule.first(goal[1], search.rules.barred(goal), looked)
            return [] if first is None else [first]

    def rank(choice: tuple[int, int, Instance]) -> tuple[int, int, tuple[Tuple, ...]]:
        return choice[0], choice[1], choice[2][0]

    rules = search.rules.of(goal[0])
    found = [
        (max([rule.lowest, *(1 + search.at_least(need) for need in instance[1])]), place, instance)
        for place, rule in enumerate(rules)
        for instance in instances(rule)
        if all(search.rules.is_lower(need, goal) for need in instance[1])
    ]
    height, place, instance = min(found, key=rank)
    return Choice(height, rules[place], instance)
