"""Random Services of a cluster, with endpoints that are its pods. It must not know what a policy means."""

from random import Random

from tests.support.descriptions import Cluster, Service, Slice
from tests.support.draws import chance


def random_services(rng: Random, made: Cluster) -> list[Service]:
    own = [address for pod in made.pods for address in pod.addresses if "." in address]
    found: list[Service] = []
    for number in range(rng.choice((0, 0, 1, 2))):
        addresses: tuple[str, ...] = (f"10.96.0.{number + 1}",)
        if chance(rng, 0.1):
            # Anyone who may write a Service may give it any external address, a Pod's too.
            addresses = (*addresses, rng.choice([*own, "203.0.113.5"]))
        endpoints = tuple(rng.sample(own, min(len(own), rng.randint(0, 2))))
        found.append(Service("shop", f"service-{number}", addresses, endpoints, rng.choice((None, 30080))))
    return found


def random_slices(rng: Random, made: Cluster) -> list[Slice]:
    """EndpointSlices of the cluster's DNS, and others that look like it."""
    if not chance(rng, 0.6):
        return []
    known = [address for pod in made.pods for address in pod.addresses] or ["10.244.0.3"]
    found = [Slice("kube-system", f"dns-{n}", tuple(rng.sample(known, 1))) for n in range(rng.randint(1, 2))]
    if chance(rng, 0.5):
        found.append(Slice(rng.choice(("kube-system", "shop")), "other", (rng.choice(known),), dns=chance(rng, 0.5)))
    return found
