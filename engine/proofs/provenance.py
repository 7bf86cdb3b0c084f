"""Why a tuple is there: provenance as a proof of least height, down to facts.

Nothing is stored while evaluating: rules are joined backwards through the complete model. Least proofs are kept, some
thousands of them and until the model changes, so that later ones share their parts; each is searched for all the same,
so that no answer depends on the questions before. Among proofs of equal height the one with the lower rule number, then
the smaller premises, is taken, so that the same facts give the same proof. A fact has height 0, a derived tuple one more
than its highest premise, the witnesses of aggregates included. Where a search is stopped by its budget, a proof is
chosen without one, and says so.
"""

from collections.abc import Container, Mapping
from typing import Final

from liqo_connectivity.engine.proofs.derivation_graph import Choice
from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.proofs.fallback_choice import choose_without_search
from liqo_connectivity.engine.proofs.least_height import OverBudgetError, Search
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.syntax.nodes import Row

BUDGET: Final = 100_000
"""How many instances of rules a search looks at: some tenths of a second.

A proof of the policy program takes less than a hundred of them; only a tuple with very many derivations, or deep in a
large and dense recursion, comes near.
"""


def prove(explainer: Explainer, relation: str, row: Row, budget: int | None = BUDGET) -> Proof | None:
    """Prove a tuple; ``None`` if it does not hold. Raises UnknownRelationError.

    If more than ``budget`` instances of rules would have to be looked at, the proof is one of those that are found
    without a search, always the same, and has ``minimal`` false. ``None`` is no limit.
    """
    found = choices_for(explainer, relation, row, budget)
    if found is None:
        return None
    goal, chosen, least = found
    return build(goal, chosen, least, explainer.rules().built() if chosen is least else None)


def choices_for(
    explainer: Explainer, relation: str, row: Row, budget: int | None
) -> tuple[Tuple, Mapping[Tuple, Choice], Mapping[Tuple, Choice]] | None:
    """Give a tuple as a goal, the choices that prove it, and those of them of which it is known that none is better.

    If that is known of all, the two are one. ``None`` if the tuple does not hold. Raises UnknownRelationError.
    """
    goal = relation, tuple(row)
    if not explainer.model.contains(*goal):
        return None
    search = Search(explainer.rules(), budget)
    try:
        search.run(goal)
    except OverBudgetError:
        return goal, choose_without_search(goal, search), search.settled
    return goal, search.settled, search.settled


def build(
    goal: Tuple, chosen: Mapping[Tuple, Choice], least: Container[Tuple], built: dict[Tuple, Proof] | None = None
) -> Proof:
    """Build the proof from a choice for each tuple, premises first; without recursion, since it may be of any height.

    ``least`` holds the tuples for which no choice gives a lower proof. ``built`` has proofs by the same choices, and
    gets those that are built; other threads may fill it at the same time.
    """
    built = {} if built is None else built
    pending = [goal]
    while pending:
        current = pending[-1]
        if current in built:
            pending.pop()
            continue
        _, rule, instance = chosen[current]
        relation, row = current
        if rule is None or instance is None:
            built.setdefault(current, Proof(relation, row, None, (), 0))
            continue
        if instance[1]:
            missing = [need for need in instance[1] if need not in built]
            if missing:
                pending += missing
                continue
        height = rule.lowest
        for need in instance[0]:
            proof = built.get(need)
            if proof is None:
                # Its relation has no rules.
                built.setdefault(need, Proof(need[0], need[1], None, (), 0))
            elif proof.height >= height:
                height = proof.height + 1
        premises = rule.premises.of(instance, built)
        # A tuple has one proof object, or what is equal would not look so from above.
        built.setdefault(current, Proof(relation, row, rule.rule, premises, height, current in least))
    return built[goal]
