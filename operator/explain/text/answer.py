"""The answer to ``why`` with its proofs, as text; and the sentences that it shares with the summary."""

from liqo_connectivity.engine import Proof
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.answer import WORST, Answer, is_rewritten
from liqo_connectivity.operator.explain.decisions import Decision, PeeringAnswer
from liqo_connectivity.operator.explain.endpoints import Port
from liqo_connectivity.operator.explain.parties import rule_name, rule_text
from liqo_connectivity.operator.explain.proof_steps import caveat
from liqo_connectivity.operator.explain.reasons import blind_spot_sentences, sentences
from liqo_connectivity.operator.explain.text.absence import absence_lines, failure_lines
from liqo_connectivity.operator.explain.text.ports import by_addresses, by_ports
from liqo_connectivity.operator.explain.text.proof import proof_lines
from liqo_connectivity.operator.sources.question import Question

_ENDPOINTS = 4
"""The most endpoints of a Service that are named."""


def answer_lines(found: Answer, full: bool) -> list[str]:
    """Lay the answer out as lines; ``full`` keeps every step of the proofs."""
    lines = headlines(found)
    if not found.peerings and found.verdict == "allowed":
        lines.append(ungoverned())
    for peering in found.peerings:
        lines += ["", deciding(peering, found)]
        lines += ["  " + line for line in _proof_lines(peering.proof, found.base, full)]
        for number, proof in enumerate(peering.alternatives, 2):
            lines += [f"  proof {number}:", *("  " + line for line in _proof_lines(proof, found.base, full))]
        if peering.alternatives:
            lines.append(f"  {'no other proof exists' if peering.complete else 'more proofs may exist'}")
        lines += ["  " + line for line in _passed_over(peering, found.base, full)]
    if found.unknown:
        lines += ["", *unknown_lines(found)]
    if found.blind_spots:
        lines += ["", *not_covered_lines(found)]
    return lines


def _proof_lines(proof: Proof, base: FactBase, full: bool) -> list[str]:
    # The headline already states the root.
    (shown,) = [p for p in proof.premises if isinstance(p, Proof)][:1] if not full else [proof]
    return [*caveat(proof), *proof_lines(shown, base, full=full)]


def _passed_over(peering: PeeringAnswer, base: FactBase, full: bool) -> list[str]:
    """Explain why the rules before the deciding one do not match."""
    if peering.decision is None or not peering.passed_over:
        return []
    index, shown = peering.decision.rule or 0, len(peering.passed_over)
    more = f"; of the {index} rules before it, the last {shown}" if shown < index else ""
    named = f"rule {index}{rule_name(base, peering.policy, index)}"
    lines = [f"{named} is the first that matches{more}:"]
    for absence in peering.passed_over:
        if full:
            lines += ["  " + line for line in absence_lines(absence, base, full=True)]
        else:
            # One line each, what fails first: `why-not` and `--full` show the rest.
            lines.append("  " + failure_lines(absence, base)[0])
    return lines


def headlines(found: Answer) -> list[str]:
    """State the verdict and the flow; of several pairs of addresses, also how many were asked about; and the ports."""
    lines = [_headline(found)]
    asked = sum(found.pairs.values())
    if found.source.kind != "group" and (
        found.destination.kind == "service" or is_rewritten(found, found.flow.destination)
    ):
        lines.append(_endpoints(found))
    elif found.others:
        return [*lines, *by_ports(found), *by_addresses(found)]
    elif asked > 1:
        lines.append(
            f"of {asked} pairs of addresses that the rules can tell apart: {_counts(found)}; the rest is about the pair above"
        )
    return [*lines, *by_ports(found)]


def _endpoints(found: Answer) -> str:
    """List the endpoints that a Service stands for with the verdict on each, the worst first."""
    ordered = sorted(found.verdicts, key=lambda entry: WORST.index(entry[1]))
    if not ordered:
        return "the endpoints of the Service are not known"
    shown = ", ".join(f"{_endpoint(asked, found.port)} {verdict}" for asked, verdict in ordered[:_ENDPOINTS])
    more = f" and {len(ordered) - _ENDPOINTS} more ({_counts(found)})" if len(ordered) > _ENDPOINTS else ""
    return f"nodes rewrite it to an endpoint of the Service: {shown}{more}; the rest is about the first"


def _endpoint(asked: Question, port: Port | None) -> str:
    """Name an endpoint, with its port unless that is the Service's."""
    address, own = asked.flow.destination, asked.port
    if own is None or port is None or own.port == port.number:
        return address
    return f"{address} {Port(own.port, own.protocol)}"


def _counts(found: Answer) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in found.pairs.items() if count)


def _headline(found: Answer) -> str:
    ends = (
        (found.source.text, found.flow.source),
        (found.destination.text, found.flow.destination),
    )
    shown = [text if not address or address in text else f"{text} ({address})" for text, address in ends]
    port = f" {found.port}" if found.port else ""
    return f"{found.verdict.upper()}  {shown[0]} -> {shown[1]}{port}, {found.flow.state} connection"


def ungoverned() -> str:
    """State why no policy governs a flow."""
    return "no policy governs it: neither address is in the scope of a peering with a policy"


def deciding(peering: PeeringAnswer, found: Answer) -> str:
    """State on one line the verdict of a peering and what decided it."""
    base = found.base
    policy = f"PeeringConnectivity {peering.policy}"
    match peering.decision:
        case None:
            decided = _undecided(peering, policy)
        case Decision(kind="rule", rule=index, action=action):
            rule = int(index or 0)
            decided = f"by rule {rule}{rule_name(base, peering.policy, rule)} of {policy}: {action} {rule_text(base, peering.policy, rule)}"
        case Decision(kind="established"):
            decided = "by the built-in rule for established connections"
        case _:
            decided = f"by default: no rule of {policy} matches" + _default(peering, base)
    # A denial that does not decide: the packets need not cross the chain.
    doubt = ""
    if (peering.verdict, found.verdict) == ("denied", "unknown"):
        unwritten = any(reason == "IPv6NotEnforced" for _, reason, _ in found.unknown)
        doubt = " if its chain had IPv6," if unwritten else " if packets cross its chain,"
    return f"{peering.peering}: {peering.verdict.upper()}{doubt} {decided}"


def _undecided(peering: PeeringAnswer, policy: str) -> str:
    """Say what keeps a peering from deciding."""
    because = {premise.relation for premise in peering.proof.premises if isinstance(premise, Proof)}
    if "may_join" in because:
        return "until Liqo says what is offloaded to it"
    if "port_not_given" in because:
        return f"while the port is not known, which rules of {policy} tell apart"
    return f"while {policy} is pending"


def _default(peering: PeeringAnswer, base: FactBase) -> str:
    """Name the default that a policy writes."""
    written = [str(action) for policy, action in base.rows("policy_default") if policy == peering.policy]
    return f", and its defaultAction is {written[0]}" if written else ""


def unknown_lines(found: Answer) -> list[str]:
    """State what keeps the verdict unknown, a line for each cause."""
    parts = ((subject.partition(" "), reason, detail) for subject, reason, detail in found.unknown)
    return [
        f"unknown: {line}" for line in sentences((why, kind, name, detail) for (kind, _, name), why, detail in parts)
    ]


def not_covered_lines(found: Answer) -> list[str]:
    """State on a line each what the verdict does not cover."""
    return [f"not covered: {line}" for line in blind_spot_sentences(found.blind_spots)]
