"""The answer to ``why-not`` as text."""

from collections.abc import Iterator

from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.answer import Answer
from liqo_connectivity.operator.explain.denial import AllowRule, Clause, Denial
from liqo_connectivity.operator.explain.endpoints import Port
from liqo_connectivity.operator.explain.parties import SIDES, ports_text, rule_name, rule_ports, rule_text
from liqo_connectivity.operator.explain.text.absence import failure_lines
from liqo_connectivity.operator.explain.text.answer import deciding, headlines
from liqo_connectivity.operator.sources.question import OTHER


def denials_lines(found: Answer, denials: tuple[Denial, ...], full: bool) -> list[str]:
    """Lay the explanation out; ``full`` shows every rule that fails."""
    lines = headlines(found)
    for denial in denials:
        lines += ["", deciding(denial.peering, found)]
        lines += [f"  {line}" for line in _denial(denial, found, full)]
    others = [p.peering for p in found.peerings if p.verdict != "denied"]
    return [*lines, "", f"not denied by: {', '.join(others)}"] if others else lines


def _denial(denial: Denial, found: Answer, full: bool) -> Iterator[str]:
    ends = {"source": found.flow.source, "destination": found.flow.destination}
    before = [rule for rule in denial.rules if rule.first]
    policy = denial.peering.policy
    if not before:
        yield "no rule before it allows anything"
    for rule in before:
        yield f"{_title(rule, policy, found.base)} does not match:"
        for side, absence in rule.misses:
            party = rule.parties[SIDES.index(side)]
            one_of = "one of " if party.startswith("the pods ") else "in "
            yield f"  {side} {ends[side]} is not {one_of}{party}:"
            clauses = _clauses(rule, side, found)
            yield from (f"    {line}" for line in clauses)
            if full or not clauses:
                yield from (f"    {line}" for line in failure_lines(absence, found.base, full=full))
        if any(side == "ports" for side, _ in rule.clauses):
            yield f"  {_port(found)} is not {rule_ports(found.base, policy, rule.index)}"
    for rule in denial.rules:
        if not rule.first and rule.matches:
            yield f"{_title(rule, policy, found.base)} matches, but comes later"


def _title(rule: AllowRule, policy: str, base: FactBase) -> str:
    return f"rule {rule.index}{rule_name(base, policy, rule.index)} (allow {rule_text(base, policy, rule.index)})"


def _port(found: Answer) -> str:
    """Name the port that was asked about, or the ports that the answer is about."""
    own = [each.ports for each in found.by_ports if each.answer.flow == found.flow]
    if own:
        return "all other traffic" if own[0].protocol == OTHER else ports_text(own)
    return next(
        (str(Port(q.port.port, q.port.protocol)) for q, _ in found.verdicts if q.flow == found.flow and q.port), "it"
    )


def _clauses(rule: AllowRule, side: str, found: Answer) -> list[str]:
    return [_clause(clause, found.base) for owner, clause in rule.clauses if owner == side]


def _clause(clause: Clause, base: FactBase) -> str:
    """State which clause of a party fails, and what the object has instead."""
    match clause.kind:
        case "label":
            return _label("Pod", clause, base)
        case "namespace label":
            return _label("Namespace", clause, base)
        case "namespace":
            return f"Pod {clause.object} is in namespace {clause.found}, not {clause.wanted}"
        case "group":
            return f"Pod {clause.object} is not in {clause.wanted}"
        case "pod":
            return f"no live Pod has {clause.object}"
        case "except":
            return f"{clause.object} is in {clause.wanted}, which it leaves out"
        case _:
            return f"{clause.object} is not in {clause.wanted}"


def _label(kind: str, clause: Clause, base: FactBase) -> str:
    """State which label of an object a selector does not want, or misses."""
    subject, wanted = f"{kind} {clause.object}", clause.wanted
    key, operator = next((str(k), str(o)) for *_, text, k, o in base.rows("policy_requirement") if text == wanted)
    values = sorted(str(value) for *_, text, value in base.rows("policy_requirement_value") if text == wanted)
    match operator:
        case _ if not clause.found:
            return f"{subject} has no label {key}"
        case "In":
            return f"label {key} of {subject} is {clause.found}, not {' or '.join(values)}"
        case "NotIn":
            return f"label {key} of {subject} is {clause.found}, which the selector excludes"
        case _:
            return f"{subject} has the label {key}, which the selector excludes"
