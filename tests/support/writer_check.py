"""What a hostile writer changed that it may not change, for the tests and for ``make soak``."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from liqo_connectivity.engine import Model, Program, Row, evaluate
from tests.support.clusters import RENDERED, base_of, example, facts_with, program, questions, shown, verdicts
from tests.support.descriptions import Cluster, Configuration, Namespace, Node
from tests.support.hostile_writers import WRITERS, Written
from tests.support.interpreter import Meaning
from tests.support.manifests import objects
from tests.support.random_clusters import NAMESPACES, WORKERS

FLOWS = 60
DNS = ("group", "nameserver")
"""The set that none of the writers may change."""
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
    put = questions(asked, nft=seed % 4 < 2)
    before = evaluate(used, facts_with(base_of(objects(described)), put))
    after = evaluate(used, facts_with(base_of(written.found), put))
    lines = [
        f"{policy} of {peering} is not enforced any more"
        for peering, policy in sorted(_enforced(before) - _enforced(after))
    ]
    lines += [
        f"{row} is in a set, and was not"
        for row in _new_elements(before, after)
        if written.namespace and not _may_choose(written, str(row[1]), str(row[2]), str(row[3]))
    ]
    lines += [f"{row} is news about the nameserver" for row in _new_elements(before, after) if row[1:3] == DNS]
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


def _new_elements(before: Model, after: Model) -> set[Row]:
    return set(after.rows("chain_element")) ^ set(before.rows("chain_element"))


def _may_choose(written: Written, kind: str, name: str, address: str) -> bool:
    """Whether labels of Pods of a namespace may decide that an address is in a set: a selection that takes Pods there."""
    _, namespace, *_ = name.split("|") if kind == "pods" else ("", "")
    return written.owns(address) and (kind in ("scope", "scoped", "block") or namespace in ("", written.namespace))


def _whole(described: Cluster) -> Cluster:
    """The cluster with nothing missing that its own administrators make: whose absence is already a reason to wait."""
    names = {node.name for node in described.nodes}
    nodes = (*described.nodes, *(Node(name) for name in WORKERS if name not in names))
    listed = {namespace.name for namespace in described.namespaces}
    namespaces = (*described.namespaces, *(Namespace(name) for name in NAMESPACES if name not in listed))
    found, meaning = (
        replace(described, namespaces=namespaces, nodes=nodes, malformed=(), malformed_offloadings=()),
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
