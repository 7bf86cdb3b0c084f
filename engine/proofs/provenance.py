"""Why a tuple holds: provenance as a proof of least height, down to facts.

Evaluation stores nothing for proofs: rules are joined backwards through the complete model. Some thousands of least
proofs are kept until the model changes, and later proofs share their parts. Each proof is still searched for, so no
answer depends on earlier questions. Among proofs of equal height, the lower rule number wins, then the smaller
premises, so the same facts give the same proof. A fact has height 0, a derived tuple one more than its highest premise,
including the witnesses of aggregates. If the budget stops a search, a proof is chosen without one, and marked as such.
"""

from collections.abc import Container, Mapping
from typing import Final

from liqo_connectivity.engine.proofs.allowance import OverBudgetError
from liqo_connectivity.engine.proofs.derivation_graph import Choice
from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.proofs.fallback_choice import choose_without_search
from liqo_connectivity.engine.proofs.least_height import Search
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.syntax.nodes import Row

BUDGET: Final = 100_000
"""The number of rule instances that a search may look at: some tenths of a second.

A proof of the policy program takes less than a hundred; only a tuple with very many derivations, or deep in a large,
dense recursion, comes near.
"""


def prove(explainer: Explainer, relation: str, row: Row, budget: int | None = BUDGET) -> Proof | None:
    """Prove a tuple; ``None`` if it does not hold. Raises UnknownRelationError.

    If the search exceeds ``budget`` rule instances, the proof is chosen without a search: always the same one, with
    ``minimal`` false. A ``budget`` of ``None`` is no limit.
    """
    found = choices_for(explainer, relation, row, budget)
    if found is None:
        return None
    goal, chosen, least = found
    return build(goal, chosen, least, explainer.rules().built() if chosen is least else None)


def choices_for(
    explainer: Explainer, relation: str, row: Row, budget: int | None
) -> tuple[Tuple, Mapping[Tuple, Choice], Mapping[Tuple, Choice]] | None:
    """Return a tuple as a goal, the choices that prove it, and those choices that are known to be the best.

    If all are, both are the same mapping. ``None`` if the tuple does not hold. Raises UnknownRelationError.
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

    ``least`` holds the tuples for which no choice gives a lower proof. ``built`` holds proofs by the same choices, and
    the new proofs are added to it; other threads may add to it at the same time.
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
                # The relation has no rules.
                built.setdefault(need, Proof(need[0], need[1], None, (), 0))
            elif proof.height >= height:
                height = proof.height + 1
        premises = rule.premises.of(instance, built)
        # One proof object for each tuple: comparison numbers shared premises by identity.
        built.setdefault(current, Proof(relation, row, rule.rule, premises, height, current in least))
    return built[goal]
