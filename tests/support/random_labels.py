"""Labels of random Pods and Namespaces: few keys and values, so that selectors often select."""

from random import Random

KEYS = ("app", "tier", "example.com/team")
VALUES = ("web", "db", "a", "")


def pod_labels(rng: Random) -> tuple[tuple[str, str], ...]:
    """The labels of a Pod or a Namespace."""
    keys = rng.sample(KEYS, rng.choice((0, 1, 1, 2, 3)))
    return tuple((key, rng.choice(VALUES)) for key in keys)
