"""The verdicts on the ports that rules tell apart, and on the pairs of addresses of two ends, on a line each."""

from typing import Final

from liqo_connectivity.operator.explain.answer import Answer, FlowAnswer, PortsAnswer
from liqo_connectivity.operator.explain.decisions import Decision
from liqo_connectivity.operator.explain.parties import ports_text, rule_name
from liqo_connectivity.operator.sources.question import OTHER, Ports

_SHOWN: Final = 5
"""The most verdicts that are written out."""


def by_ports(found: Answer) -> list[str]:
    """State which ports have which verdict, and what decides it; no line if all ports have one of each."""
    ordered, about = _by_ports(found.by_ports, found)
    return [f"{', '.join(_folded(ordered))}; the rest is about {about}"] if len(ordered) > 1 else []


def by_addresses(found: Answer) -> list[str]:
    """State the verdict on each other pair of addresses, or of which it is the same; no line if there is one pair."""
    if not found.others:
        return []
    own, _ = _by_ports(found.by_ports, found)
    if not found.by_ports:
        decisions = tuple((p.peering, p.policy, p.verdict, p.decision) for p in found.peerings)
        own = [_said(FlowAnswer(found.flow, found.verdict, decisions, found.unknown), found)]
    groups: dict[tuple[str, ...], list[str]] = {}
    for pair in found.others:
        said, _ = _by_ports(pair.by_ports, found)
        flow = pair.answer.flow
        groups.setdefault(tuple(said or [_said(pair.answer, found)]), []).append(f"{flow.source} -> {flow.destination}")
    lines = [
        f"the same for {', '.join(pairs)}" if said == tuple(own) else f"{', '.join(pairs)}: {', '.join(_folded(said))}"
        for said, pairs in groups.items()
    ]
    return [f"{'; '.join(lines)}; the rest is about the pair above"]


def _by_ports(parts: tuple[PortsAnswer, ...], found: Answer) -> tuple[list[str], str]:
    """State the verdicts on classes of ports, that on the rest last; and name the ports that the answer is about."""
    groups: dict[str, list[Ports]] = {}
    rest, about = "", ""
    for each in parts:
        said = _said(each.answer, found)
        groups.setdefault(said, []).append(each.ports)
        rest = said if each.ports.protocol == OTHER else rest
        about = said if each.answer.flow == found.flow else about
    if len(groups) <= 1:
        return list(groups), ""
    names = {said: "all else" if said == rest else ports_text(ports) for said, ports in groups.items()}
    ordered = [*(f"{name} {said}" for said, name in names.items() if said != rest), f"{names[rest]} {rest}"]
    return ordered, names.get(about, "")


def _folded(ordered: list[str] | tuple[str, ...]) -> list[str]:
    if len(ordered) <= _SHOWN:
        return list(ordered)
    return [*ordered[: _SHOWN - 1], ordered[-1], f"and {len(ordered) - _SHOWN} more verdicts (-o json)"]


def _said(found: FlowAnswer, answer: Answer) -> str:
    """State a verdict and what decides it."""
    if found.verdict == "unknown":
        return f"unknown ({', '.join(sorted({reason for _, reason, _ in found.unknown}))})"
    deciding = [d for d in found.decisions if d[2] == found.verdict]
    names = [_decider(policy, decision, answer) for _, policy, _, decision in deciding]
    if len(found.decisions) > 1:
        names = [f"{name} of {peering}" for name, (peering, *_) in zip(names, deciding, strict=True)]
    return f"{found.verdict} by {' and by '.join(names)}" if names else found.verdict


def _decider(policy: str, decision: Decision | None, answer: Answer) -> str:
    if decision is None or decision.kind == "default":
        return "default"
    if decision.kind == "established":
        return "the rule for established connections"
    index = decision.rule or 0
    return f"rule {index}{rule_name(answer.base, policy, index)}"
