"""What a hostile writer changed that it may not change, for the tests and for ``make soak``."""

from random import Random
from typing import NamedTuple

from liqo_connectivity.engine import Model, Program, evaluate
from tests.support.clusters import RENDERED, base_of, example, facts_with, program, questions, shown, verdicts
from tests.support.hostile_writers import WRITERS
from tests.support.manifests import objects

FLOWS = 60
GOALS = ("flow_verdict", "enforced", *RENDERED)


class Violations(NamedTuple):
    """``lines`` say what changed; ``denied`` counts the flows that were denied and not the writer's to decide."""

    lines: list[str]
    denied: int


def violations(seed: int, writer: str, rules: Program | None = None) -> Violations:
    """Let a writer write into the cluster of a seed; a flow must not open, and an enforced policy must not wait.

    ``rules`` stand in for the built-in ones.
    """
    described, asked = example(seed, FLOWS)
    written = WRITERS[writer](Random(f"{seed} {writer}"), described)
    used = rules or program(*GOALS)
    before = evaluate(used, facts_with(base_of(objects(described)), questions(asked)))
    after = evaluate(used, facts_with(base_of(written.found), questions(asked)))
    lines = [
        f"{policy} of {peering} is not enforced any more"
        for peering, policy in sorted(_enforced(before) - _enforced(after))
    ]
    if written.inert:
        lines += [f"{name} changed" for name in RENDERED if before.rows(name) != after.rows(name)]
    denied = 0
    for flow, first, then in zip(asked, verdicts(before), verdicts(after), strict=True):
        if first == "denied" and not written.owns(flow[0]) and not written.owns(flow[1]):
            denied += 1
            if then != "denied":
                lines.append(f"{flow} was denied and is {then}")
    if lines:
        lines += ["--- before", shown(described), "--- after", *map(str, written.found)]
    return Violations(lines, denied)


def _enforced(model: Model) -> set[tuple[str, str]]:
    return {(str(peering), str(policy)) for peering, policy in model.rows("enforced")}
