"""The guards of a part accept exactly what is outside its CIDRs, or inside of them, in as few rules as they are said to take."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from random import Random

import pytest

from liqo_connectivity.chains import guards
from liqo_connectivity.chains.limits import MAX_GUARD_CIDRS, MAX_OUTSIDE_RANGES

LAST = (1 << 32) - 1


def drawn(rng: Random, count: int) -> list[IPv4Network]:
    """CIDRs without a common address, of many sizes, some side by side, some at the first or the last address."""
    found: list[IPv4Network] = []
    places = [0, LAST, *[rng.randrange(1 << 32) for _ in range(count)]]
    while len(found) < count:
        if found and rng.random() < 0.4:
            places.append(int(rng.choice(found).broadcast_address) + 1 & LAST)
        network = IPv4Network((rng.choice(places), rng.choice((32, 32, 31, 24, 22, 16, 9))), strict=False)
        if not any(network.overlaps(other) for other in found):
            found.append(network)
    return found


def accepts(made: Sequence[guards.Guard], address: IPv4Address) -> bool:
    def holds(guard: guards.Guard) -> bool:
        return not any(first <= address <= last for match in guard for first, last in match.ranges)  # type: ignore[operator]  # all are of IPv4

    return any(map(holds, made))


@pytest.mark.parametrize("count", [1, 2, 28, 29, 30, 58, 59, 60, 150])
def test_guards_accept_exactly_what_a_part_does_not_judge(count: int) -> None:
    for seed in range(6):
        rng = Random(f"{count} {seed}")
        networks = drawn(rng, count)
        outside, inside = (make("here", "source", networks) for make in (guards.outside, guards.inside))
        edges = {int(end) + step for each in networks for end in (each[0], each[-1]) for step in (-1, 0, 1)}
        for number in sorted({0, LAST, *(each & LAST for each in edges), *(rng.randrange(1 << 32) for _ in range(50))}):
            address = IPv4Address(number)
            held = any(address in network for network in networks)
            assert accepts(outside, address) is not held, (seed, address)
            assert accepts(inside, address) is held, (seed, address)
        rules = -(-count // MAX_GUARD_CIDRS)
        assert (len(outside), len(inside)) == (rules, rules)
        ranges = [[len(match.ranges) for guard in made for match in guard] for made in (outside, inside)]
        assert max(map(max, ranges)) <= MAX_OUTSIDE_RANGES
        # What rules/part_sizes.dl counts.
        assert sum(ranges[0]) == count + 2 * (rules - 1)
        assert sum(ranges[1]) <= count + rules


@pytest.mark.parametrize("networks", [["0.0.0.0/0"], ["128.0.0.0/1", "0.0.0.0/1"]])
def test_all_addresses_are_inside(networks: list[str]) -> None:
    """So one guard has no match, and accepts everything; the other accepts nothing."""
    everything = list(map(IPv4Network, networks))
    assert list(collapse_addresses(everything)) == [IPv4Network("0.0.0.0/0")]
    assert guards.inside("here", "source", everything) == [()]
    outside = guards.outside("here", "source", everything)
    assert not any(accepts(outside, IPv4Address(number)) for number in (0, 1, 1 << 31, LAST))


def test_there_is_no_guard_without_cidrs() -> None:
    assert guards.outside("here", "source", []) == guards.inside("here", "source", []) == []
