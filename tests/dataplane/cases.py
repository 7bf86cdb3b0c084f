"""A disagreement as a value: a federation, who enforces where, and one flow. It can be tried again, made smaller, and kept.

Kept cases are the files of ``tests/data/dataplane/``; a test tries each of them again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar

from pydantic import TypeAdapter

from tests.dataplane.federation import Federation, Member
from tests.dataplane.probing import Prober
from tests.dataplane.shots import server_may_begin
from tests.dataplane.topology import Asked
from tests.dataplane.world import World, built, known, misresolved
from tests.support.clusters import shown
from tests.support.descriptions import Traffic
from tests.support.forced_parts import Form

Part = TypeVar("Part")
ATTEMPTS: Final = 12
"""How often a flow of a case is opened: some of its first packets are fragments, or begin in the middle."""


@dataclass(frozen=True)
class Case:
    """A flow as the cluster ``name`` sees it, in all of a federation, or in the cluster ``behind`` a router.

    ``back`` is the flow from its server to its client, if the server speaks first. ``kind`` and ``became`` say which packet
    did what; of what is tried again they are no part.
    """

    whole: Federation
    behind: str | None
    name: str
    nft: bool
    traffic: Traffic
    kind: str = ""
    became: str = ""
    agent: bool = False
    back: Traffic | None = None
    parts: Form | None = None

    @property
    def asked(self) -> list[Asked]:
        """Its flow, and the one back."""
        return [(self.name, traffic) for traffic in (self.traffic, self.back) if traffic]

    @property
    def is_about_service(self) -> bool:
        """Whether it is about the endpoints of a Service: then its flow goes from the Service to itself."""
        return self.traffic.source == self.traffic.destination


_ADAPTER: Final = TypeAdapter(Case)


def written(case: Case) -> str:
    """A case as a file has it."""
    return json.dumps(_ADAPTER.dump_python(case, mode="json"), indent=1) + "\n"


def read(file: Path) -> Case:
    """The case of a file. Raises pydantic.ValidationError."""
    return _ADAPTER.validate_json(file.read_text("utf-8"))


class Complaint(NamedTuple):
    """What is wrong with a case: which packet, or "oracles", and what became of it or what the interpreter says."""

    kind: str
    text: str


def complaints(case: Case) -> list[str]:
    """What is wrong with a case now; empty when the kernel and both oracles agree about its flow. Raises KeyError without a way."""
    verdict, found = _tried(case)
    return [f"{verdict}: {complaint.text}" if verdict else complaint.text for complaint in found]


def _tried(case: Case) -> tuple[str, list[Complaint]]:
    """The verdicts on a case's flow, and all that is wrong, each complaint once."""
    topology = built(case.whole, case.behind)
    try:
        world = World(topology, case.whole, nft=case.nft, agent=case.agent, parts=case.parts)
        if case.is_about_service:
            services = case.whole.member(case.name).services
            resolved = misresolved(world.described[case.name], services)
            return "", [Complaint(case.kind, said) for flow, said in resolved if flow == case.traffic]
        flows, oracles = world.oracles(case.asked)
        second = [f"the interpreter says {other}" for oracle in oracles.values() for _, other in oracle.differing]
        world.load(oracles)
        prober = Prober(topology.fabric, Random(1))
        found = known(flows, oracles)
        prober.turn([(one, other) for one, other in pairwise(found) if server_may_begin(one, other)])
        prober.signal(flows[:1])
        prober.judge(known(flows[:1], oracles) * ATTEMPTS)
    finally:
        topology.close()
    verdict = ", ".join(oracles[name].verdicts[traffic] for name, traffic in flows[0].asked)
    wrong = [Complaint("oracles", text) for text in second]
    wrong += [Complaint(each.kind, str(each)) for each in prober.failures]
    return verdict, list(dict.fromkeys(wrong))


def smaller(case: Case) -> Case:
    """A case that is still wrong, and of which no rule, policy, Service or pod can be left out."""
    at, left = 0, case
    while True:
        less = next(islice(_parts(left), at, None), None)
        if less is None:
            if left == case:
                return case
            # What could not be left out before may be left out now.
            at, case = 0, left
        elif _is_wrong(less):
            left = less
        else:
            at += 1


def _is_wrong(case: Case) -> bool:
    """Whether a packet of the same kind still does what it should not."""
    try:
        return any(complaint.kind == case.kind for complaint in _tried(case)[1])
    except KeyError:
        # Without that pod the flow has no place to begin or to end at.
        return False


def _parts(case: Case) -> Iterator[Case]:
    """The cases that have one thing less; and first that without any Service, of which most cases need none."""
    if any(member.services for member in case.whole.members):
        yield replace(case, whole=Federation(tuple(replace(member, services=()) for member in case.whole.members)))
    for at, member in enumerate(case.whole.members):
        for number in range(len(member.policies)):
            yield _with(case, at, replace(member, policies=_without(member.policies, number)))
        for number, policy in enumerate(member.policies):
            for rule in range(len(policy.rules)):
                less = replace(policy, rules=_without(policy.rules, rule))
                yield _with(case, at, replace(member, policies=_changed(member.policies, number, less)))
        for number, service in enumerate(member.services):
            yield _with(case, at, replace(member, services=_without(member.services, number)))
            for each in range(len(service.endpoints)):
                fewer = replace(service, endpoints=_without(service.endpoints, each))
                yield _with(case, at, replace(member, services=_changed(member.services, number, fewer)))
        for pod in range(len(member.pods)):
            yield _with(case, at, replace(member, pods=_without(member.pods, pod)))


def _with(case: Case, at: int, member: Member) -> Case:
    members = case.whole.members
    return replace(case, whole=Federation((*members[:at], member, *members[at + 1 :])))


def _without(found: tuple[Part, ...], at: int) -> tuple[Part, ...]:
    return found[:at] + found[at + 1 :]


def _changed(found: tuple[Part, ...], at: int, new: Part) -> tuple[Part, ...]:
    return (*found[:at], new, *found[at + 1 :])


def report(case: Case) -> str:
    """Everything about a case, for a person to judge: packet, policies, proofs, rulesets and topology."""
    wrong = complaints(case)
    topology = built(case.whole, case.behind)
    try:
        world = World(topology, case.whole, nft=case.nft, agent=case.agent, parts=case.parts)
        flows, oracles = world.oracles([] if case.is_about_service else case.asked)
        world.load(oracles)
        rulesets = [f"---- {name}\n{node.nft.ruleset()}" for name, node in topology.fabric.nodes.items()]
    finally:
        topology.close()
    asked = [(name, traffic) for flow in flows for name, traffic in flow.asked]
    return "\n".join(
        (
            f"packet: {case.kind}, of {case.traffic} in {case.name}, nft enforces: {case.nft}, an agent: {case.agent}, parts: {case.parts}: {case.became}",
            f"now: {wrong or 'nothing is wrong'}",
            *(f"policy: {policy}" for name, _ in asked for policy in world.described[name].policies),
            *(
                f"proof: {name}: {relation}{row}"
                for name, traffic in asked
                for relation, rows in oracles[name].proof(traffic).items()
                for row in rows
            ),
            *rulesets,
            *topology.places(),
            *(shown(world.described[name]) for name, _ in asked),
        )
    )
