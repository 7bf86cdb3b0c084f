"""Random clusterSelectors of NamespaceOffloadings, and random labels of virtual nodes that they may select."""

from random import Random

from tests.support.descriptions import Requirement
from tests.support.draws import chance

CLUSTERS = ("milan", "naples", "rome-1")


def random_term(rng: Random) -> tuple[Requirement, ...]:
    """A term of a selector over virtual nodes; one in ten is none that Kubernetes accepts."""
    if chance(rng, 0.1):
        bad = (("zone", "Near", ()), ("zone", "In", ()), ("zone", "Exists", ("a",)), ("rank", "Gt", ("x",)))
        return (Requirement(*rng.choice(bad)),)
    chosen = [rng.choice(_requirements(rng)) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    return tuple(chosen)


def _requirements(rng: Random) -> list[Requirement]:
    member = rng.choice(("In", "NotIn"))
    return [
        Requirement("liqo.io/remote-cluster-id", member, tuple(rng.sample(CLUSTERS, rng.randint(1, 2)))),
        Requirement("liqo.io/remote-cluster-id", rng.choice(("Exists", "DoesNotExist"))),
        Requirement("zone", member, tuple(rng.sample(("a", "b", "c"), rng.randint(1, 2)))),
        Requirement("zone", rng.choice(("Exists", "DoesNotExist"))),
        Requirement("rank", rng.choice(("Gt", "Lt")), (str(rng.randint(0, 20)),)),
        Requirement("metadata.name", member, (rng.choice(CLUSTERS),), field=True),
    ]


def random_labels(rng: Random) -> tuple[tuple[str, str], ...]:
    """Labels of a virtual node."""
    zones = [("zone", rng.choice(("a", "b", "c")))] if chance(rng, 0.6) else []
    return (*zones, *([("rank", rng.choice(("3", "012", "17", "x", "99")))] if chance(rng, 0.6) else []))
