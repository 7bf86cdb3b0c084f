"""The test of the harness: rulesets with mistakes are loaded in place of the right one, and have to be noticed.

Which mistakes change what becomes of a packet that is sent, the model says. All of these have to be noticed, by exactly the
packets that the model names, and no other.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.dataplane.federation import Federation, Member, federation
from tests.dataplane.model import Model, Sight
from tests.dataplane.mutants import Mutant, mutants
from tests.dataplane.oracle import Oracle
from tests.dataplane.probing import Prober
from tests.dataplane.shots import Flow
from tests.dataplane.world import World, built, known
from tests.support.forced_parts import FORMS

FLOWS: Final = 150
EACH: Final = 4
"""How many mutants of each kind of a ruleset."""
MESHES: Final = 5
"""One ruleset of so many is of a cluster in a whole federation, the others of one behind a router."""

DIVIDED: Final = 4
"""One ruleset of so many is in parts, as for Liqo's agents; the others are for nft."""


@dataclass
class Score:
    """What became of mutants: ``killed`` are those that were noticed, by kind; ``harmless`` those that had not to be.

    ``meshes`` counts those of clusters in whole federations, ``divided`` those of chains in parts. ``unsent`` are mutants that cut a federation's tunnels, so that
    no fence would come through: nothing was sent for them.
    """

    killed: Counter[str] = field(default_factory=Counter[str])
    harmless: Counter[str] = field(default_factory=Counter[str])
    meshes: int = 0
    divided: int = 0
    unsent: int = 0
    wrong: list[str] = field(default_factory=list[str])

    @property
    def tried(self) -> int:
        """How many mutants there were."""
        return self.killed.total() + self.harmless.total() + len(self.wrong)


def run(first: int, count: int, seconds: float, *, divided: bool = False) -> tuple[Score, range]:
    """Mutants until there are enough or the time is up, of chains in parts only or of all; what became of them, and the seeds."""
    score, seed, end = Score(), first, time.monotonic() + seconds
    while score.tried < count and time.monotonic() < end:
        breed(seed, score, divided=divided)
        seed += 1
    return score, range(first, seed)


def breed(seed: int, score: Score, *, divided: bool = False) -> None:
    """Try mutants of one ruleset, which is in parts if ``divided`` says so. Adds to the score."""
    rng = Random(seed)
    whole = federation(rng)
    name = rng.choice(whole.members).name
    topology = built(whole, None if seed % MESHES == 0 else name)
    try:
        parts = FORMS[seed % 2] if divided or seed % DIVIDED == 1 else None
        world = World(topology, whole, nft=parts is None, parts=parts)
        flows, oracles = world.oracles(topology.draw(rng, world.described, FLOWS))
        sights = list(_sights(name, known(flows, oracles), oracles))
        model = Model(sights, topology.masqueraded, topology.outer(name))
        unmutated = oracles[name].commands
        wrong = model.failing(unmutated)
        if wrong or model.cuts_tunnels(unmutated):
            score.wrong.append(f"seed {seed}: the model disagrees with the rules about {wrong or 'tunnels'}")
            return
        addresses = sorted({end for _, traffic, _ in sights for end in traffic[:2]})
        world.load(oracles)
        # No two flows begin at one port, so that what one mutant lets through opens nothing for the next.
        prober = Prober(topology.fabric, rng, odd=0, errors=1)
        for mutant in mutants(rng, unmutated, addresses, _views(whole, whole.member(name)), EACH):
            if model.cuts_tunnels(mutant.commands):
                score.unsent += 1
                continue
            topology.load(name, mutant.commands)
            score.meshes += len(topology.clusters) > 1
            score.divided += oracles[name].divided > 0
            _try(f"seed {seed}, {mutant.kind}", prober, model, mutant, score)
    finally:
        topology.close()


def _sights(name: str, flows: Sequence[Flow], oracles: Mapping[str, Oracle]) -> Iterator[Sight]:
    """The flows whose packets chains of a cluster see with the same addresses each time, and whether another one cuts them."""
    for flow in flows:
        seen = [traffic for other, traffic in flow.crossed if other == name]
        others = [oracles[other].verdicts[traffic] for other, traffic in flow.crossed if other != name]
        if len(seen) == 1 and (flow.path == "pod" or len(oracles) == 1):
            yield Sight(flow, seen[0], "denied" in others)


def _try(what: str, prober: Prober, model: Model, mutant: Mutant, score: Score) -> None:
    """Probe every flow, with no idea of what is wrong with the chains."""
    expected = model.failing(mutant.commands)
    sent = [sight.flow for sight in model.sights]
    prober.signal(sent)
    prober.judge(sent)
    places = {flow: number for number, flow in enumerate(sent)}
    noticed = {(places[each.flow], each.kind) for each in prober.failures}
    prober.failures.clear()
    if noticed != expected:
        score.wrong.append(f"{what}: noticed {sorted(noticed)[:5]}, expected {sorted(expected)[:5]}")
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
