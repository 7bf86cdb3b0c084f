"""Random Services of a cluster, with endpoints that are its pods. It must not know what a policy means."""

from random import Random

from tests.support.descriptions import Cluster, Service
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
