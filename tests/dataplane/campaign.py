"""Seed after seed: a federation, a topology, policies that change while connections live, and thousands of probes each.

Bounded by a count of probes and by seconds. A run says which seeds it took, so that it can be repeated.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.dataplane.cases import Case
from tests.dataplane.federation import federation, with_policies
from tests.dataplane.flows import flows
from tests.dataplane.oracle import Oracle
from tests.dataplane.probing import Connection, Failure, Prober
from tests.dataplane.sites import Site
from tests.dataplane.views import described
from tests.support.descriptions import Traffic

POLICIES: Final = 3
"""How often the policies of a topology change."""
FLOWS: Final = 2000
ATTEMPTS: Final = 2
"""How often each flow is opened: from two ports, by packets of other kinds."""
KEPT: Final = 40
"""How many connections live on when the policies change."""
ENOUGH: Final = 20
"""How many disagreements end a run."""


@dataclass
class Tally:
    """What a run did. ``told`` counts verdicts on flows, each once."""

    probes: int = 0
    policies: int = 0
    topologies: int = 0
    told: Counter[str] = field(default_factory=Counter[str])
    wrong: list[Case] = field(default_factory=list[Case])


def trial(seed: int, tally: Tally) -> None:
    """One topology, and some policies in it one after the other. Adds to the tally."""
    rng = Random(seed)
    whole = federation(rng)
    name, nft = rng.choice(whole.members).name, rng.random() < 0.7
    site = Site(whole, name)
    try:
        prober, alive = Prober(site.fabric, rng), list[Connection]()
        for number in range(POLICIES):
            whole = with_policies(rng, whole) if number else whole
            cluster = described(whole, name)
            oracle = Oracle(cluster, flows(rng, site.places, cluster, FLOWS), nft=nft)
            site.load(oracle.commands)
            # What was open before the policies changed stays open.
            prober.follow(alive)
            known = [site.flow(*one) for one in oracle.verdicts.items() if one[1] != "unknown"]
            opened = [each for _ in range(ATTEMPTS) for each in prober.judge(known)]
            alive = rng.sample(opened, min(KEPT, len(opened)))
            tally.told.update(oracle.verdicts.values())
            tally.policies += 1
            seconds = [(traffic, f"the interpreter says {verdict}") for traffic, verdict in oracle.differing]
            tally.wrong += [Case(whole, name, nft, traffic, "oracles", became) for traffic, became in seconds]
            tally.wrong += [Case(whole, name, nft, *_shown(each)) for each in prober.failures]
            prober.failures.clear()
        tally.probes += prober.count
        tally.topologies += 1
    finally:
        site.close()


def _shown(failure: Failure) -> tuple[Traffic, str, str]:
    return failure.flow.traffic, failure.kind, failure.became


def run(first: int, probes: int, seconds: float) -> tuple[Tally, range]:
    """Trials until there are enough probes or the time is up; what they did, and their seeds."""
    tally, seed, end = Tally(), first, time.monotonic() + seconds
    while tally.probes < probes and time.monotonic() < end and len(tally.wrong) < ENOUGH:
        trial(seed, tally)
        seed += 1
    return tally, range(first, seed)
