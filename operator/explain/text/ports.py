"""The verdicts on the ports that rules tell apart, on one line."""

from typing import Final

from liqo_connectivity.operator.explain.answer import Answer, Decision, PortsAnswer
from liqo_connectivity.operator.explain.parties import ports_text, rule_name
from liqo_connectivity.operator.sources.question import OTHER, Ports

_SHOWN: Final = 5
"""The most verdicts that are written out."""


def by_ports(found: Answer) -> list[str]:
    """State which ports have which verdict, and what decides it; no line if all ports have one of each."""
    groups: dict[str, list[Ports]] = {}
    rest, about = "", ""
    for each in found.by_ports:
        said = _said(each, found)
        groups.setdefault(said, []).append(each.ports)
        rest = said if each.ports.protocol == OTHER else rest
        about = said if each.flow == found.flow else about
    if len(groups) <= 1:
        return []
    names = {said: "all else" if said == rest else ports_text(ports) for said, ports in groups.items()}
    ordered = [*(f"{name} {said}" for said, name in names.items() if said != rest), f"{names[rest]} {rest}"]
    more = [f"and {len(ordered) - _SHOWN} more verdicts (-o json)"] if len(ordered) > _SHOWN else []
    shown = ordered if not more else [*ordered[: _SHOWN - 1], ordered[-1], *more]
    return [f"{', '.join(shown)}; the rest is about {names[about]}"]


def _said(found: PortsAnswer, answer: Answer) -> str:
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
