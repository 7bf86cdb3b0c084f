"""Seed after seed: a federation, a topology, policies that change while connections live, and thousands of probes each.

Bounded by a count of probes and by seconds. A run says which seeds it took, so that it can be repeated.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.dataplane.cases import Case
from tests.dataplane.churn import carried, churned, kept, moved
from tests.dataplane.cutting import CuttingProber
from tests.dataplane.federation import Federation, federation, with_policies
from tests.dataplane.probing import SPORTS
from tests.dataplane.shots import Connection, Failure, Flow, server_may_begin
from tests.dataplane.topology import Asked, Topology
from tests.dataplane.world import World, built, known, misresolved
from tests.support.forced_parts import FORMS

POLICIES: Final = 3
"""How many states a topology has, one after the other, with other policies or other pods."""
CHANGES: Final = (("policies",), ("pods",), ("pods",), ("pods", "policies"))
"""What may change at a time."""
DIVIDED: Final = 5
"""In one topology of so many the chains are in parts, for Liqo's agents."""
FLOWS: Final = 2000
ATTEMPTS: Final = 3
"""How often each flow is opened: from other ports, by packets of other kinds."""
TURNED: Final = range(SPORTS[0] - 200, SPORTS[0])
TURNS: Final = len(TURNED)
"""For how many flows the server may speak first, and to which ports of the clients."""
SIGNALLED: Final = 60
"""Along how many flows something is sent that an IPv6 network needs."""
KEPT: Final = 120
"""How many connections live on when the policies or the pods change."""
ENOUGH: Final = 20
"""How many disagreements end a run."""


@dataclass
class Tally:
    """What a run did. ``told`` counts verdicts on flows, each once; ``kinds``, ``paths`` and ``forms`` are those of the probers;
    ``refilled`` counts changes of a node's sets alone, ``divided`` chains in parts.
    """

    kinds: Counter[str] = field(default_factory=Counter[str])
    paths: Counter[str] = field(default_factory=Counter[str])
    forms: Counter[str] = field(default_factory=Counter[str])
    policies: int = 0
    refilled: int = 0
    divided: int = 0
    topologies: Counter[str] = field(default_factory=Counter[str])
    told: Counter[str] = field(default_factory=Counter[str])
    wrong: list[Case] = field(default_factory=list[Case])

    @property
    def probes(self) -> int:
        """How many packets were sent whose fate was checked."""
        return self.kinds.total()


def trial(seed: int, tally: Tally, *, divided: bool = False) -> None:
    """One topology, and some policies in it one after the other. Adds to the tally.

    With ``divided`` the chains are in parts, for Liqo's agents; else it is drawn who enforces, and how.
    """
    rng = Random(seed)
    parts = FORMS[seed % 2] if divided or seed % DIVIDED == 1 else None
    whole, nft = federation(rng), rng.random() < 0.7 and parts is None
    agent = seed % 3 == 2 and parts is None
    behind = rng.choice(whole.members).name if rng.random() < 0.5 else None
    topology = built(whole, behind)
    try:
        prober, alive = CuttingProber(topology.fabric, rng), list[Connection]()
        for number in range(POLICIES):
            before = whole
            changed = rng.choice(CHANGES) if number else ()
            whole = churned(rng, whole) if "pods" in changed else whole
            whole = with_policies(rng, whole) if "policies" in changed else whole
            elsewhere = [*moved(before, whole)]
            if changed:
                topology.change(whole, elsewhere)
            places = {place for place, _ in elsewhere}
            world = World(topology, whole, nft=nft, agent=agent, parts=parts)
            if not number:
                for name, cluster in world.described.items():
                    found = misresolved(cluster, whole.member(name).services)
                    tally.wrong += [
                        Case(whole, behind, name, nft, flow, "Service", said, agent, parts=parts)
                        for flow, said in found
                    ]
            asked = topology.draw(rng, world.described, FLOWS)
            turns = list(_turns(topology, rng.sample(asked, min(TURNS, len(asked)))))
            taken = [*carried(topology, alive, places)]
            alive = kept(alive, places)
            lived = [*_ways(topology, alive)] if agent else []
            others = [*(turned for _, turned in turns), *(flow for _, flow in taken), *lived]
            flows, oracles = world.oracles([*asked, *others])
            world.load(oracles)
            verdicts = {flow.asked[0]: flow for flow in known(flows, oracles)}
            if agent:
                _judge_again(prober, alive, verdicts)
            else:
                # What was open before the policies or the members of sets changed stays open.
                prober.follow(alive)
            sent = known(flows[: len(asked)], oracles)
            prober.carry([*_on(topology, taken, verdicts, agent=agent)])
            pairs = [(verdicts[one], verdicts[other]) for one, other in turns if {one, other} <= verdicts.keys()]
            prober.turn([pair for pair in pairs if server_may_begin(*pair)])
            prober.signal(rng.sample(flows, min(SIGNALLED, len(flows))))
            opened = prober.judge(sent * ATTEMPTS)
            alive = rng.sample(opened, min(KEPT, len(opened)))
            tally.policies += 1
            for name, oracle in oracles.items():
                tally.told.update(oracle.verdicts.values())
                tally.divided += oracle.divided
                second = [(traffic, f"the interpreter says {verdict}") for traffic, verdict in oracle.differing]
                tally.wrong += [
                    Case(whole, name, name, nft, traffic, "oracles", said, agent, parts=parts)
                    for traffic, said in second
                ]
            tally.wrong += [_case(whole, behind, each, world) for each in prober.failures]
            prober.failures.clear()
        tally.kinds += prober.kinds
        tally.refilled += sum(node.refilled for node in topology.fabric.nodes.values())
        tally.paths += prober.paths
        tally.forms += prober.forms
        tally.topologies[type(topology).__name__.lower()] += 1
    finally:
        topology.close()


def _on(
    topology: Topology, taken: Sequence[tuple[Connection, Asked]], verdicts: Mapping[Asked, Flow], *, agent: bool
) -> Iterator[tuple[Connection, Flow]]:
    """Connections whose flows take other ways now. Where a node does not know the connection, it judges it as a new one.

    An agent judges each as a new one.
    """
    for connection, asked in taken:
        flow = topology.flow(asked)
        if not agent and topology.remembers(connection.flow, flow):
            yield connection, flow._replace(allowed=True)
        elif asked in verdicts:
            yield connection, verdicts[asked]


def _ways(topology: Topology, alive: Sequence[Connection]) -> Iterator[Asked]:
    """The flows of connections, but of those one of whose pods has gone."""
    for asked in dict.fromkeys(_asked(one) for one in alive):
        try:
            topology.flow(asked)
        except KeyError:
            continue
        yield asked


def _judge_again(prober: CuttingProber, alive: Sequence[Connection], verdicts: Mapping[Asked, Flow]) -> None:
    """An agent cuts what policies deny now, and lets go on what they allow."""
    # A Service may have got another endpoint; what is open goes on to the old one.
    same = [one for one in alive if _asked(one) in verdicts and verdicts[_asked(one)].crossed == one.flow.crossed]
    held = [(one, verdicts[_asked(one)].allowed) for one in same]
    prober.follow([one for one, allowed in held if allowed])
    prober.cut([one for one, allowed in held if not allowed])


def _asked(one: Connection) -> Asked:
    return one.flow.name, one.flow.traffic


def _case(whole: Federation, behind: str | None, failure: Failure, world: World) -> Case:
    flow, back = failure.flow, failure.back.traffic if failure.back else None
    said = failure.kind, failure.became, world.agent, back, world.parts
    return Case(whole, behind, flow.name, world.nft, flow.traffic, *said)


def _turns(topology: Topology, asked: Sequence[Asked]) -> Iterator[tuple[Asked, Asked]]:
    """Flows that no node translates, each with the flow from the server to a port of the client."""
    for number, (name, traffic) in enumerate(asked):
        back = traffic._replace(source=traffic.destination, destination=traffic.source, port=TURNED[number])
        try:
            ways = topology.flow((name, traffic)), topology.flow((name, back))
        except KeyError:
            continue
        if traffic.port and not any(way.translated for way in ways):
            yield (name, traffic), (name, back)


def run(first: int, probes: int, seconds: float, *, divided: bool = False) -> tuple[Tally, range]:
    """Trials until there are enough probes or the time is up; what they did, and their seeds. ``divided`` as in ``trial``."""
    tally, seed, end = Tally(), first, time.monotonic() + seconds
    while tally.probes < probes and time.monotonic() < end and len(tally.wrong) < ENOUGH:
        trial(seed, tally, divided=divided)
        seed += 1
    return tally, range(first, seed)
