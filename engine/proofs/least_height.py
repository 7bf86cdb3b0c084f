"""The least height of a tuple's proofs, and which instance of which rule gives it.

Knuth's grammar problem (1977), a generalization of the shortest path, asked of one tuple only: not bottom-up from all
that may take part, but by depth-first branch and bound from above. An instance is looked into only while the lower
bounds of what it needs leave room below the best one so far. What recurses is searched by iterative deepening (Korf,
*Depth-first iterative-deepening*, 1985): each try allows a height that no proof stays below, and its failure raises that
bound; so a height is settled the first time a try succeeds, and no cycle is ever followed, because what is needed must be
lower. All bounds and heights hold whatever led to them.
"""

from collections.abc import Iterator
from heapq import heapify, heappop

from liqo_connectivity.engine.proofs.backward_rule import NEVER
from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.proofs.derivation_graph import GIVEN, Choice
from liqo_connectivity.engine.proofs.rule_instances import Tuple


class OverBudgetError(Exception):
    """More instances would have to be looked at than allowed."""


class Search:
    """The search for one goal.

    ``settled`` holds the best choice of each tuple whose least height is known, and of all that it needs. Of equally
    low ones that is the one with the lower rule number, then with the smaller needs. The instances of a rule for a
    tuple are looked at together, since the least is not known before; each costs one of the ``budget``.
    """

    def __init__(self, rules: BackwardRules, budget: int | None) -> None:
        self.settled: dict[Tuple, Choice] = {}
        self.rules = rules
        self._left = NEVER if budget is None else budget
        self._bounds: dict[Tuple, int] = {}

    def run(self, goal: Tuple) -> None:
        """Settle a tuple that holds. Raises OverBudgetError."""
        if self.rules.is_given(goal):
            self.settled[goal] = GIVEN
            return
        # Recursion without Python's stack: each search waits for the one above it.
        stack = [self._look(goal, NEVER - 1)]
        while stack:
            wanted = next(stack[-1], None)
            if wanted is None:
                stack.pop()
            else:
                stack.append(self._look(*wanted))
        if goal not in self.settled:
            raise AssertionError(f"{goal[0]}{goal[1]} is in the model, but nothing derives it")

    def at_least(self, goal: Tuple) -> int:
        """Give the best bound known of a tuple's height, which is its height once it is settled."""
        choice = self.settled.get(goal)
        if choice is not None:
            return choice.height
        known = self._bounds.get(goal)
        return self.rules.at_least(goal) if known is None else known

    def _look(self, goal: Tuple, limit: int) -> "Iterator[_Wanted]":
        """Settle a tuple if its height is within a limit, or raise its bound above; ask for what that takes."""
        if self.rules.floor(goal[0])[0] is None:
            return self._try(goal, self.at_least(goal), limit)
        return self._deepen(goal, limit)

    def _deepen(self, goal: Tuple, limit: int) -> "Iterator[_Wanted]":
        while goal not in self.settled and (least := self.at_least(goal)) <= limit:
            yield from self._try(goal, least, least)

    def _try(self, goal: Tuple, least: int, limit: int) -> "Iterator[_Wanted]":
        """Go through the instances of all rules, in the order of preference; a later one must be lower to be taken."""
        relation, row = goal
        settled, given = self.settled, self.rules.given
        best: Choice | None = None
        refused = NEVER
        for rule in self.rules.of(relation):
            if rule.least > limit:
                refused = min(refused, rule.least)
                continue
            found = rule.instances(row)
            self._left -= len(found)
            if self._left < 0:
                raise OverBudgetError
            if len(found) > 1:
                heapify(found)
            while found:
                instance = heappop(found)
                height = rule.lowest
                unknown: list[Tuple] = []
                for need in instance[1]:
                    choice = settled.get(need)
                    if choice is not None:
                        bound = choice[0]
                    elif need[0] in given and need[1] in given[need[0]]:
                        settled[need] = GIVEN
                        bound = 0
                    else:
                        unknown.append(need)
                        bound = self.at_least(need)
                    if bound >= height:
                        height = bound + 1
                if height > limit:
                    refused = min(refused, height)
                    continue
                for need in unknown:
                    if need not in settled:
                        yield need, limit - 1
                    choice = settled.get(need)
                    bound = self.at_least(need) if choice is None else choice[0]
                    if bound >= height:
                        height = bound + 1
                        if height > limit:
                            refused = min(refused, height)
                            break
                else:
                    best = Choice(height, rule, instance)
                    limit = height - 1
                    if height <= least:
                        settled[goal] = best
                        return
        if best is None:
            self._bounds[goal] = refused
        else:
            settled[goal] = best


_Wanted = tuple[Tuple, int]
"""A tuple, and the height up to which it is of use."""
