"""The test of the harness: rulesets with mistakes are loaded in place of the right one, and have to be noticed.

Which mistakes change what becomes of a packet that is sent, the model says. All of these have to be noticed, by exactly the
packets that the model names, and no other.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.dataplane.federation import Federation, Member, federation
from tests.dataplane.model import Model
from tests.dataplane.mutants import Mutant, mutants
from tests.dataplane.probing import Flow, Prober
from tests.dataplane.sites import Site
from tests.dataplane.world import World, known

FLOWS: Final = 150
EACH: Final = 4
"""How many mutants of each kind of a ruleset."""


@dataclass
class Score:
    """What became of mutants: ``killed`` are those that were noticed, by kind; ``harmless`` those that had not to be."""

    killed: Counter[str] = field(default_factory=Counter[str])
    harmless: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def tried(self) -> int:
        """How many mutants there were."""
        return self.killed.total() + self.harmless.total() + len(self.wrong)


def run(first: int, count: int, seconds: float) -> tuple[Score, range]:
    """Mutants until there are enough or the time is up; what became of them, and the seeds."""
    score, seed, end = Score(), first, time.monotonic() + seconds
    while score.tried < count and time.monotonic() < end:
        breed(seed, score)
        seed += 1
    return score, range(first, seed)


def breed(seed: int, score: Score) -> None:
    """Try mutants of one ruleset. Adds to the score."""
    rng = Random(seed)
    whole = federation(rng)
    name = rng.choice(whole.members).name
    site = Site(whole, name)
    try:
        world = World(site, whole, nft=True)
        flows, oracles = world.oracles(site.draw(rng, world.described, FLOWS))
        oracle, sent = oracles[name], known(flows, oracles)
        model = Model(sent, site.translated)
        unmutated = model.failing(oracle.commands)
        if unmutated:
            score.wrong.append(f"seed {seed}: the model disagrees with the rules about {unmutated}")
            return
        addresses, views = site.addresses, _views(whole, whole.member(name))
        for mutant in mutants(rng, oracle.commands, addresses, views, EACH):
            _try(seed, site, sent, model, mutant, score)
    finally:
        site.close()


def _try(seed: int, site: Site, sent: list[Flow], model: Model, mutant: Mutant, score: Score) -> None:
    """Load a mutant and probe every flow, with no idea of what is wrong."""
    expected = model.failing(mutant.commands)
    site.router.load(mutant.commands)
    site.router.forget()
    prober = Prober(site.fabric, Random(seed), odd=0, errors=1)
    prober.judge(sent)
    places = {flow: number for number, flow in enumerate(sent)}
    noticed = {(places[each.flow], each.kind) for each in prober.failures}
    if noticed != expected:
        score.wrong.append(
            f"seed {seed}, {mutant.kind}: noticed {sorted(noticed)[:5]}, expected {sorted(expected)[:5]}"
        )
    else:
        (score.killed if noticed else score.harmless)[mutant.kind] += 1


def _views(whole: Federation, member: Member) -> Mapping[str, str]:
    """CIDRs that may be taken for each other: as a peer has it, and as this cluster knows it."""
    found: dict[str, str] = {}
    for peer, seen in member.sees.items():
        for real, here in zip(whole.member(peer).cidrs, seen, strict=True):
            if real != here:
                found |= {here: real, real: here}
    return found
