"""What may send and receive in a cluster: its pods, and addresses that stand for those of peers and of the rest of the world.

Which of them rules tell apart is read from derived tuples, so that a question about all of them costs one about each class.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase, one_line
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError, numeric
from liqo_connectivity.operator.explain.flows import Solve
from liqo_connectivity.operator.explain.groups import (
    CLASSES,
    RELATIONS,
    Traits,
    free_addresses,
    group_addresses,
    traits,
)
from liqo_connectivity.operator.sources.question import question

NODES: Final = "the nodes"
"""The party of the addresses of this cluster's nodes. No namespace has such a name, with a space."""
WORLD: Final = "the world"
"""The party of the addresses that belong to no cluster."""
ADDRESS: Final = "ip:"
"""How the name of an end begins that is an address."""
_NAMED: Final = (*RELATIONS, "finished")

Class = tuple[Traits, ...]
"""What rules tell an end by: the traits of each of its addresses."""


class End(NamedTuple):
    """A pod, ``namespace/name``, or an address that stands for others, ``ip:ADDRESS``; its addresses are sorted."""

    name: str
    addresses: tuple[str, ...]

    @property
    def is_pod(self) -> bool:
        """Whether it is a pod."""
        return not self.name.startswith(ADDRESS)


class Ends(NamedTuple):
    """The ends of a cluster by party, in the order of the parties; and the pods of which no address is known, sorted."""

    parties: Mapping[str, tuple[End, ...]]
    without_address: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        """What each party is called in text: with the number of its pods, if there are several."""
        counts = {party: sum(end.is_pod for end in ends) for party, ends in self.parties.items()}
        return {p: one_line(p) + (f" ({count} pods)" if count > 1 else "") for p, count in counts.items()}


def namespaces(solve: Solve, base: FactBase) -> Ends:
    """Give the pods of each namespace, ``NAMESPACE``, what else each peer has, ``cluster ID``, ``the nodes``, and ``the world``."""
    model = solve(_NAMED)
    pods = _pods(base, model)
    parties: dict[str, list[End]] = {}
    for name, namespace in sorted(map(_texts, base.rows("pod"))):
        if name in pods:
            parties.setdefault(namespace, []).append(End(name, pods[name]))
    held = {address for addresses in pods.values() for address in addresses}
    for (peering,) in sorted(map(_texts, model.rows("peering"))):
        parties[f"cluster {peering}"] = _addresses(_group("remote-cluster", peering, model), held)
    parties[NODES] = [_address(str(address)) for _, address in sorted(model.rows("node_ip"))]
    own = {end.name for end in parties[NODES]}
    parties[WORLD] = [end for end in _addresses(free_addresses(model), held) if end.name not in own]
    known = {party: tuple(ends) for party, ends in parties.items() if ends}
    return Ends(known, tuple(sorted(_without_address(base, model, pods))))


def groups(solve: Solve, base: FactBase) -> Ends:
    """Give the addresses of each group of each peering, ``GROUP@ID``; groups without members are left out."""
    model = solve(_NAMED)
    pods = _pods(base, model)
    by_address = {address: End(name, own) for name, own in pods.items() for address in own}
    parties: dict[str, tuple[End, ...]] = {}
    for (peering,) in sorted(map(_texts, model.rows("peering"))):
        for group in sorted({str(group) for group, _ in model.rows("group")}):
            found = [by_address.get(each, _address(each)) for each in _group(group, peering, model)]
            if found:
                parties[f"{group}@{peering}"] = tuple(dict.fromkeys(found))
    return Ends(parties, tuple(sorted(_without_address(base, model, pods))))


def alike(solve: Solve, base: FactBase) -> Ends:
    """Give the pods that no rule tells apart together, by the name of the first, and the other parties of `namespaces`."""
    found = namespaces(solve, base)
    pods = [end for ends in found.parties.values() for end in ends if end.is_pod]
    kept: dict[Class, list[End]] = {}
    for end, own in classes_of(solve, pods).items():
        kept.setdefault(own, []).append(end)
    others = {party: ends for party, ends in found.parties.items() if not any(end.is_pod for end in ends)}
    return found._replace(parties={ends[0].name: tuple(ends) for ends in kept.values()} | others)


def classes_of(solve: Solve, ends: Iterable[End]) -> dict[End, Class]:
    """Give the class of each end. Two ends of one class have the same verdicts with any third."""
    ends = tuple(dict.fromkeys(ends))
    addresses = sorted({address for end in ends for address in end.addresses})
    found = traits(solve(CLASSES, [question(address, address, "new") for address in addresses]))
    return {end: tuple(found[address] for address in end.addresses) for end in ends}


def _pods(base: FactBase, model: Model) -> dict[str, tuple[str, ...]]:
    """Give the addresses of each pod that has some and runs."""
    found: dict[str, set[str]] = {}
    for pod, address in base.rows("pod_ip"):
        if not model.contains("finished", (pod,)):
            found.setdefault(str(pod), set()).add(str(address))
    return {pod: tuple(sorted(own, key=numeric)) for pod, own in found.items()}


def _without_address(base: FactBase, model: Model, pods: Mapping[str, object]) -> list[str]:
    return [str(pod) for pod, _ in base.rows("pod") if pod not in pods and not model.contains("finished", (pod,))]


def _group(group: str, peering: str, model: Model) -> list[str]:
    try:
        return group_addresses(Endpoint(f"group:{group}@{peering}", "group", group, peering), model)
    except UnknownEndpointError:
        return []


def _addresses(found: Iterable[str], held: set[str]) -> list[End]:
    return [_address(address) for address in sorted(found, key=numeric) if address not in held]


def _address(address: str) -> End:
    return End(f"{ADDRESS}{address}", (address,))


def _texts(row: tuple[str | int, ...]) -> tuple[str, ...]:
    return tuple(map(str, row))
