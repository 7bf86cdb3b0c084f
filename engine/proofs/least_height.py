"""The least height of a tuple's proofs, and the rule and instance that give it.

Knuth's grammar problem (1977), a generalization of the shortest path, for one tuple: not bottom-up over the whole
derivation graph, but top-down by depth-first branch and bound. The search enters an instance only while the lower
bounds of its needs allow a better height than the best so far. Recursive relations are searched by iterative deepening
(Korf, *Depth-first iterative-deepening*, 1985): each try allows exactly the lower bound, and a failure raises it. So
the first successful try settles the height, and no cycle is followed, because needs must be lower. Bounds and heights
do not depend on the goal of the search that found them.
"""

from collections.abc import Iterator
from heapq import heapify, heappop

from liqo_connectivity.engine.proofs.allowance import NEVER, Allowance
from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.proofs.derivation_graph import GIVEN, Choice
from liqo_connectivity.engine.proofs.rule_instances import Tuple


class Search:
    """The search for one goal.

    ``settled`` maps each tuple whose least height is known to its best choice, and holds that choice's open needs too.
    Among equal heights, the lower rule number wins, then the smaller needs. All instances of a rule for a tuple are
    listed at once, since the lowest is not known before; each takes one from the ``budget``, which bounds the rows read too.
    """

    def __init__(self, rules: BackwardRules, budget: int | None) -> None:
        self.settled: dict[Tuple, Choice] = {}
        self.rules = rules
        self._allowance = Allowance(budget)
        self._bounds: dict[Tuple, int] = {}

    def run(self, goal: Tuple) -> None:
        """Settle a tuple that holds. Raises OverBudgetError."""
        if self.rules.is_given(goal):
            self.settled[goal] = GIVEN
            return
        # Recursion on an explicit stack: each search waits for the one above it.
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
        """Return the best known lower bound of a tuple's height, which is the height once the tuple is settled."""
        choice = self.settled.get(goal)
        if choice is not None:
            return choice.height
        known = self._bounds.get(goal)
        return self.rules.at_least(goal) if known is None else known

    def _look(self, goal: Tuple, limit: int) -> "Iterator[_Wanted]":
        """Settle a tuple of height up to a limit, or raise its bound above that; yield the tuples to settle first."""
        if self.rules.floor(goal[0])[0] is None:
            return self._try(goal, self.at_least(goal), limit)
        return self._deepen(goal, limit)

    def _deepen(self, goal: Tuple, limit: int) -> "Iterator[_Wanted]":
        while goal not in self.settled and (least := self.at_least(goal)) <= limit:
            yield from self._try(goal, least, least)

    def _try(self, goal: Tuple, least: int, limit: int) -> "Iterator[_Wanted]":
        """Try the instances of all rules in order of preference; a later one is taken only if it is lower."""
        relation, row = goal
        settled, given = self.settled, self.rules.given
        best: Choice | None = None
        refused = NEVER
        for rule in self.rules.of(relation):
            if rule.least > limit:
                refused = min(refused, rule.least)
                continue
            found = rule.instances(row, self._allowance)
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
"""A tuple, and the greatest height that is of use."""
