"""The decisions on new connections between ends, read from derived tuples, by the ports that rules tell apart."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.ends import End
from liqo_connectivity.operator.explain.flows import Solve, port_classes, told_apart
from liqo_connectivity.operator.sources.question import Ports, Question, of_class, question

ANSWERS: Final = ("flow_verdict", "peering_verdict", "decided_by", "undecided_flow")
"""The relations that decisions are read from."""

PROTOCOLS: Final = ("icmp", "sctp", "tcp", "udp")
"""What ports are said of, wherever some are told apart."""


class Decision(NamedTuple):
    """A verdict and what decides it. ``by`` is empty if no policy governs."""

    verdict: str
    by: tuple[tuple[str, str, int], ...]
    """The peering, ``rule`` or ``default``, and the index of the rule."""
    is_certain: bool
    """Whether nothing else that may become known changes what policies say of it."""


class State(NamedTuple):
    """A state of a cluster: how its relations are derived, and its facts."""

    solve: Solve
    base: FactBase


def port_parts(states: Iterable[tuple[State, Sequence[Sequence[Question]]]]) -> list[list[Ports]]:
    """Give the classes of ports that some state tells apart, for each group of questions; none if all ports are one.

    The groups of all states are in one order.
    """
    known: list[list[Ports]] = []
    for state, asked in states:
        classes = port_classes(state.solve, state.base, [one for some in asked for one in some])
        known = known or [[] for _ in asked]
        for own, some in zip(known, asked, strict=True):
            own += [ports for one in some for ports in classes.get(one.pair, ())]
    return [told_apart(own, PROTOCOLS) for own in known]


def judged(
    state: State, asked: Iterable[Sequence[Question]], parts: Iterable[Sequence[Ports]]
) -> list[list[list[Decision]]]:
    """Give the decisions on each question, for each class of ports of its group, or for all ports at once."""
    groups = [
        [[of_class(one, ports) for one in some] for ports in own] if own else [[*some]]
        for some, own in zip(asked, parts, strict=True)
    ]
    model = state.solve(ANSWERS, {q.flow.flow: q for group in groups for part in group for q in part}.values())
    known = decisions(model)
    return [[[known[one.flow.flow] for one in part] for part in group] for group in groups]


def example_pair(sources: Sequence[End], destinations: Sequence[End]) -> tuple[End, End] | None:
    """Give two different ends, if possible with different addresses; an address that stands for others may be both."""
    pairs = [(s, d) for s in _two(sources) for d in _two(destinations) if s != d or not s.is_pod]
    return min(pairs, key=lambda pair: pair[0].addresses == pair[1].addresses, default=None)


def _two(ends: Sequence[End]) -> list[End]:
    other = next((end for end in ends if end.addresses != ends[0].addresses), None)
    return [*ends[:2], *([other] if other else [])]


def pair_count(sources: Sequence[End], destinations: Sequence[End]) -> int:
    """Count the pairs of different ends; an address that stands for others may be both."""
    same = {end for end in sources if end.is_pod} & {*destinations}
    return len(sources) * len(destinations) - len(same)


def addresses_asked(source: End, destination: End) -> list[Question]:
    """Ask about a new connection between two ends, for each two of their addresses that are of one family."""
    return [question(s, d, "new") for s in source.addresses for d in destination.addresses if (":" in s) == (":" in d)]


def decisions(model: Model) -> dict[str, Decision]:
    """Give the decision on each flow that was asked about, by its name."""
    own = {(peering, flow): str(verdict) for peering, flow, verdict in model.rows("peering_verdict")}
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    by: dict[str, list[tuple[str, str, int]]] = {}
    for peering, flow, origin, index, _ in model.rows("decided_by"):
        # Where packets may pass unseen the verdict is unknown, but what policies say is not.
        if verdicts[str(flow)] in (own[peering, flow], "unknown"):
            by.setdefault(str(flow), []).append((str(peering), str(origin), int(index)))
    uncertain = {str(flow) for (flow,) in model.rows("undecided_flow")}
    return {
        flow: Decision(verdict, tuple(sorted(by.get(flow, ()))), flow not in uncertain)
        for flow, verdict in verdicts.items()
    }
