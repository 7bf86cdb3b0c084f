"""Random policies, right and wrong, from a generator that is passed in."""

from dataclasses import replace
from random import Random

from tests.support.descriptions import (
    Party,
    Policy,
    Rule,
)
from tests.support.draws import chance

GROUPS = ("local-cluster", "remote-cluster", "offloaded", "vc-local", "vc-remote", "private-subnets")
FIRST = 1_750_000_000


def random_policies(rng: Random, namespaces: list[str], tenants: dict[str, str], odd: bool) -> list[Policy]:
    found: list[Policy] = []
    for peering, tenant in tenants.items():
        if chance(rng, 0.9):
            found.append(Policy(tenant, peering, FIRST, _rules(rng, namespaces, odd)))
        if odd and chance(rng, 0.25):
            created = rng.choice((None, FIRST, FIRST - 1, FIRST + 1))
            second = Policy(tenant, "another", created, _rules(rng, namespaces, odd))
            found.append(replace(second, terminating=chance(rng, 0.2), malformed=chance(rng, 0.1)))
    if odd and chance(rng, 0.2):
        place = rng.choice(("shop", "second-tenant", "liqo-tenant-nobody"))
        if place in namespaces or place == "liqo-tenant-nobody":
            found.append(
                Policy(place, "misplaced", FIRST - 5, _rules(rng, namespaces, odd), malformed=chance(rng, 0.1))
            )
    return found


def _rules(rng: Random, namespaces: list[str], odd: bool) -> tuple[Rule, ...]:
    wrong = odd and chance(rng, 0.25)
    return tuple(_rule(rng, namespaces, wrong and chance(rng, 0.4)) for _ in range(rng.randint(0, 6)))


def _rule(rng: Random, namespaces: list[str], wrong: bool) -> Rule:
    parties = [_party(rng, namespaces), _party(rng, namespaces)]
    action: str | None = rng.choice(("allow", "deny"))
    if wrong:
        mistake = rng.randint(0, 4)
        if mistake < 2:
            action = ("reject", None)[mistake]
        else:
            parties[rng.randint(0, 1)] = (Party(), Party("internet"), Party("offloaded", "shop"))[mistake - 2]
    return Rule(action, *parties)


def _party(rng: Random, namespaces: list[str]) -> Party | None:
    kind = rng.randint(0, 9)
    if kind < 2:
        return None
    return Party(group=rng.choice(GROUPS)) if kind < 8 else Party(namespace=rng.choice([*namespaces, "nowhere"]))
