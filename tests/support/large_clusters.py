"""Clusters that are as large as asked for, and large random ones: many namespaces, CIDRs, rules and pods."""

from collections.abc import Sequence
from random import Random

from tests.support.descriptions import (
    Cluster,
    Namespace,
    NamespaceMap,
    Network,
    Node,
    Offloading,
    Party,
    Pod,
    Policy,
    Rule,
)
from tests.support.draws import chance
from tests.support.random_policies import GROUPS, random_rules

MAX_RULES = 998
"""The most that the CustomResourceDefinition takes."""


def large(
    rules: Sequence[Rule], namespaces: int = 0, cidrs: int = 1, pods: int = 0, peering: str = "milan", local: int = 1
) -> Cluster:
    """A peering with ``cidrs`` remote pod CIDRs, and namespaces ``ns0`` … with a local pod each; ``pods`` are shadow pods.

    The first namespace is offloaded to the peering.
    """
    tenant = f"liqo-tenant-{peering}"
    networks = [
        Network("liqo", f"local-{number}", None, "pod-cidr", cidr, cidr)
        for number, cidr in enumerate([f"10.{8 + number}.0.0/16" for number in range(local)])
    ]
    for number in range(cidrs):
        cidr = f"10.{64 + (number >> 6)}.{(number & 63) << 2}.0/22"
        networks.append(Network(tenant, f"pod-{number}", peering, "pod", cidr, cidr))
    names = [f"ns{number}" for number in range(namespaces)]
    running = [
        Pod(name, "web", "worker", addresses=(f"10.8.{number >> 8}.{number & 255}",), labels=(("app", "web"),))
        for number, name in enumerate(names)
    ]
    for number in range(pods):
        address = f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        running.append(
            Pod("away", f"pod-{number}", peering, addresses=(address,), shadow="true", labels=(("app", "db"),))
        )
    return Cluster(
        namespaces=(Namespace(tenant, peering, tenant=True), Namespace("away"), *map(Namespace, names)),
        nodes=(Node("worker"), Node(peering, virtual=True, cluster=peering)),
        networks=tuple(networks),
        maps=(
            NamespaceMap(
                tenant, peering, peering, ours=True, origin="here", entries=(("ns0", "ns0-here", "Accepted"),)
            ),
        ),
        offloadings=(Offloading("ns0", required=((peering, True),)),),
        pods=tuple(running),
        policies=(Policy(tenant, "policy", None, tuple(rules)),),
    )


def tangled(namespaces: int) -> list[Rule]:
    """What is allowed into a namespace is denied out of it, and so on: nothing of it can be gathered."""
    ends = [(Party("remote-cluster"), Party(namespace=f"ns{number}")) for number in range(namespaces)]
    return [Rule(action, *pair) for a, b in ends for action, pair in (("allow", (a, b)), ("deny", (b, a)))]


def random_large(rng: Random) -> Cluster:
    """A large cluster with a policy of any of the forms that the CustomResourceDefinition takes."""
    namespaces = rng.choice((1, 3, 30, 120, 250))
    names = [f"ns{number}" for number in range(namespaces)]
    if chance(rng, 0.15):
        names += [f"{letter * 60}-{rng.randrange(100):02}" for letter in "ab"]

    def party() -> Party | None:
        kind = rng.randrange(8)
        if kind == 0:
            return None
        return Party(group=rng.choice(GROUPS)) if kind < 5 else Party(namespace=rng.choice(names))

    count = rng.choice((0, 1, 3, 12, 60, 250, MAX_RULES))
    rules = [Rule(rng.choice(("allow", "deny")), party(), party()) for _ in range(count)]
    if chance(rng, 0.4):
        addresses = [f"10.{rng.choice((8, 64, 90))}.{rng.randrange(4)}.{rng.randrange(256)}" for _ in range(8)]
        rules = random_rules(rng, names, addresses, count)
    elif chance(rng, 0.3):
        # One of the forms that people write: what is allowed, and then a deny.
        rules = [Rule("allow", Party("remote-cluster"), Party(namespace=name)) for name in names[: MAX_RULES - 1]]
        rules.append(Rule("deny", rng.choice((None, Party("remote-cluster"))), None))
    return large(
        rules,
        namespaces,
        cidrs=rng.choice((1, 2, 8, 60, 150)),
        pods=rng.choice((0, 5, 300, 4096, 14_000)) if chance(rng, 0.3) else rng.randrange(20),
        peering=rng.choice(("milan", "m", "m" * 51)),
        local=rng.choice((1, 1, 2, 12)),
    )
