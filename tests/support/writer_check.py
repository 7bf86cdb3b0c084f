"""What a hostile writer changed that it may not change, for the tests and for ``make soak``."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from liqo_connectivity.engine import Model, Program, evaluate
from tests.support.clusters import RENDERED, base_of, example, facts_with, program, questions, shown, verdicts
from tests.support.descriptions import Cluster, Configuration, Node
from tests.support.hostile_writers import WRITERS
from tests.support.interpreter import Meaning
from tests.support.manifests import objects
from tests.support.random_clusters import WORKERS

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
    described = _whole(described)
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


def _whole(described: Cluster) -> Cluster:
    """The cluster with nothing missing that its own administrators make: whose absence is already a reason to wait."""
    names = {node.name for node in described.nodes}
    nodes = (*described.nodes, *(Node(name) for name in WORKERS if name not in names))
    found, meaning = (
        replace(described, nodes=nodes, malformed=(), malformed_offloadings=()),
        Meaning(replace(described, nodes=nodes)),
    )
    read = (replace(pod, malformed=False) for pod in found.pods)
    pods = (replace(pod, node=WORKERS[0]) if meaning.is_unplaced(pod) else pod for pod in read)
    return replace(found, pods=tuple(pods), configurations=tuple(_used(found, meaning)))


def _used(described: Cluster, meaning: Meaning) -> Iterator[Configuration]:
    """A Configuration of each peering with the CIDRs that Liqo uses for it: all that it has."""
    for tenant, peering in meaning.tenants.items():
        own = [n for n in described.networks if (n.namespace, n.cluster) == (tenant, peering)]
        cidrs = tuple((n.kind, n.spec) for n in own)
        yield Configuration(tenant, "real", peering, cidrs, tuple((n.kind, n.status) for n in own if n.status))


def _enforced(model: Model) -> set[tuple[str, str]]:
    return {(str(peering), str(policy)) for peering, policy in model.rows("enforced")}
