"""Matrices and comparisons of states agree with brute force over random clusters: nothing is missing, and nothing is made up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from liqo_connectivity.operator.explain import ends
from liqo_connectivity.operator.explain.changes import compare
from liqo_connectivity.operator.explain.ends import End, classes_of
from liqo_connectivity.operator.explain.matrix import matrix
from liqo_connectivity.operator.explain.pairs import Decision, State
from tests.support.clusters import base_of
from tests.support.descriptions import Cluster
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.random_flows import ELSEWHERE, known_addresses
from tests.support.random_policies import random_policies
from tests.support.reach import SOME_PORTS, decided, every, holds, solver, worst
from tests.support.seeds import groups

CLUSTERS, GROUP = 1002, 6
ENFORCERS = ("liqo", "nftables", "agent")


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(0, CLUSTERS, GROUP))
def test_addresses_of_equal_traits_have_equal_verdicts(first: int) -> None:
    for seed in range(first, first + GROUP):
        rng = Random(seed)
        described = cluster(rng)
        solve = solver(base_of(objects(described)), ENFORCERS[seed % 3])
        addresses = sorted({*known_addresses(rng, described), *ELSEWHERE})
        kinds = classes_of(solve, [End(f"ip:{address}", (address,)) for address in addresses])
        traits = {end.addresses[0]: own for end, own in kinds.items()}
        pairs = [(s, d) for s, d in product(addresses, addresses) if s != d]
        found: dict[object, Decision] = {}
        for (s, d, port), decision in decided(solve, pairs, SOME_PORTS[seed % 2 :: 2]).items():
            first_found = found.setdefault((traits[s], traits[d], port), decision)
            assert decision == first_found, f"seed {seed}: {s} -> {d} {port}"


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(0, CLUSTERS, GROUP))
def test_a_matrix_is_what_brute_force_finds(first: int) -> None:
    for seed in range(first, first + GROUP):
        base = base_of(objects(cluster(Random(seed))))
        solve = solver(base, ENFORCERS[seed % 3])
        found = ends.namespaces(solve, base)
        pods = {party: own for party, own in found.parties.items() if own[0].is_pod}
        cells = {(cell.source, cell.destination): cell for cell in matrix(solve, base, found.parties).cells}
        ports = SOME_PORTS[seed % 2 :: 2]
        known = decided(solve, _pairs(end for own in pods.values() for end in own), ports)
        for (s, own), (d, other) in product(pods.items(), pods.items()):
            pairs = [pair for pair in product(own, other) if pair[0] != pair[1]]
            for port in ports:
                expected = Counter(decision for pair in pairs for decision in every(known, pair, port))
                found_now: Counter[Decision] = Counter()
                for outcome in cells[s, d].outcomes if (s, d) in cells else ():
                    found_now[outcome.decision] += outcome.pairs if holds(outcome.ports, port) else 0
                assert +found_now == expected, f"seed {seed}: {s} -> {d} {port}"


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(0, CLUSTERS, GROUP))
def test_changes_are_what_brute_force_finds(first: int) -> None:
    for seed in range(first, first + GROUP):
        rng = Random(seed)
        before = cluster(rng)
        after = _edited(rng, before)
        bases = [base_of(objects(each)) for each in (before, after)]
        states = [State(solver(base, ENFORCERS[seed % 3]), base) for base in bases]
        found = compare(*states)
        pods = [
            {end.name: end for own in ends.namespaces(*state).parties.values() for end in own if end.is_pod}
            for state in states
        ]
        common = [name for name in pods[0] if name in pods[1]]
        ports = SOME_PORTS[seed % 2 :: 2]
        known = [
            decided(state.solve, _pairs(own[name] for name in common), ports)
            for state, own in zip(states, pods, strict=True)
        ]
        for s, d in product(common, common):
            if s == d:
                continue
            listed = [c for c in found.changes if any(s in f.sources and d in f.destinations for f in c.flows)]
            for port in ports:
                both = [worst(k, (own[s], own[d]), port) for k, own in zip(known, pods, strict=True)]
                expected = {(a, b) for a, b in zip(*both, strict=True) if a and b and a != b}
                told = {(c.before.verdict, c.after.verdict) for c in listed if holds(c.ports, port)}
                assert told == expected, f"seed {seed}: {s} -> {d} {port}"


def _pairs(ends: Iterable[End]) -> list[tuple[str, str]]:
    addresses = sorted({address for end in ends for address in end.addresses})
    return [(s, d) for s in addresses for d in addresses]


def _edited(rng: Random, described: Cluster) -> Cluster:
    """The cluster with some other policies, and some pods at new addresses or gone."""
    tenants = {n.cluster: n.name for n in described.namespaces if n.cluster is not None and n.tenant}
    names = [namespace.name for namespace in described.namespaces]
    policies = tuple(random_policies(rng, names, tenants, known_addresses(rng, described), rng.random() < 0.2))
    kept = tuple(policy for policy in described.policies if rng.random() < 0.5)
    others = {(policy.namespace, policy.name) for policy in kept}
    new = tuple(policy for policy in policies if (policy.namespace, policy.name) not in others)
    pods = tuple(pod for pod in described.pods if rng.random() < 0.9)
    return replace(described, policies=(*kept, *new), pods=pods)
