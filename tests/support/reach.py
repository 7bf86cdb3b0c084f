"""What brute force says of connections between ends: a question for each pair of addresses and each port.

It shares with the matrix and the comparison of states the rules and how a question is written, and nothing else.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from liqo_connectivity.engine import Model, Row, evaluate
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.ends import End
from liqo_connectivity.operator.explain.flows import Solve
from liqo_connectivity.operator.explain.pairs import ANSWERS, Decision, decisions
from liqo_connectivity.operator.sources.question import OTHER, Ports, Question, question, question_facts
from liqo_connectivity.rules.relations import Enforcer
from tests.support.clusters import program

Port = tuple[int, str]
SOME_PORTS: tuple[Port, ...] = (
    (80, "tcp"),
    (81, "tcp"),
    (53, "udp"),
    (8080, "sctp"),
    (30080, "tcp"),
    (0, "icmp"),
    (0, OTHER),
)
WORST = ("denied", "unknown", "allowed")


def solver(base: FactBase, enforcer: str) -> Solve:
    """Derive by the engine; ``enforcer`` is liqo, nftables or agent."""

    def solve(goals: Iterable[str], asked: Iterable[Question] = ()) -> Model:
        facts: dict[str, Iterable[Row]] = {**dict(base.relations()), **question_facts(asked)}
        facts["enforcer"] = [] if enforcer == "liqo" else [Enforcer(enforcer)]
        return evaluate(program(*goals), facts)

    return solve


def decided(
    solve: Solve, pairs: Iterable[tuple[str, str]], ports: Sequence[Port]
) -> dict[tuple[str, str, Port], Decision]:
    """The decision on each pair of addresses of one family and each port."""
    asked = {
        (s, d, port): question(s, d, "new", port) for (s, d), port in product(pairs, ports) if (":" in s) == (":" in d)
    }
    known = decisions(solve(ANSWERS, asked.values()))
    return {key: known[one.flow.flow] for key, one in asked.items()}


def every(known: dict[tuple[str, str, Port], Decision], pair: tuple[End, End], port: Port) -> set[Decision]:
    """The decisions on all addresses of two ends."""
    addresses = product(pair[0].addresses, pair[1].addresses)
    return {known[s, d, port] for s, d in addresses if (s, d, port) in known}


def worst(known: dict[tuple[str, str, Port], Decision], pair: tuple[End, End], port: Port) -> list[str]:
    """The worst verdict on the addresses of two ends of each family, or an empty text where they have none of it."""
    found: list[str] = []
    for is_ipv6 in (False, True):
        addresses = product(pair[0].addresses, pair[1].addresses)
        own = [known[s, d, port].verdict for s, d in addresses if (":" in s) == (":" in d) == is_ipv6]
        found.append(min(own, key=WORST.index, default=""))
    return found


def holds(ports: Sequence[Ports], port: Port) -> bool:
    """Whether ports hold a port; no ports are all of them."""
    number, protocol = port
    return not ports or any(each.protocol == protocol and each.first <= number <= each.last for each in ports)
