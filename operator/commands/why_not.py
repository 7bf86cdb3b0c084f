"""``why-not``: why a flow is not allowed. For each rule that allows: what it lacks, or that it comes too late.

Everything is read from derived tuples and from the engine's explanation of those that are not there. This module must
not decide anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.engine.why_not.failures import Absence, pattern, why_not
from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.commands.options import Input, input_options, operator_option, output_option
from liqo_connectivity.operator.commands.why import VERDICTS, questions
from liqo_connectivity.operator.explain import answer, answer_text, endpoints, report
from liqo_connectivity.operator.explain.absence_json import absence_json
from liqo_connectivity.operator.explain.absence_text import failure_lines
from liqo_connectivity.operator.explain.document import echo_document
from liqo_connectivity.operator.sources.session import Session, relations_of

SCHEMA_VERSION = 2
EXITS = {"allowed": exits.DENIED, "denied": exits.OK, "unknown": exits.UNKNOWN}
_SIDES = ("source", "destination")
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class AllowRule:
    """A rule of a policy that allows, its two parties, and for each side that does not match why.

    ``first`` tells whether it comes before what decided, so that it would have decided if it matched.
    """

    index: int
    parties: tuple[str, str]
    first: bool
    misses: tuple[tuple[str, Absence], ...]


@dataclass(frozen=True, slots=True)
class Denial:
    """A peering that denies, and the rules of its policy that allow."""

    peering: answer.PeeringAnswer
    rules: tuple[AllowRule, ...]


@click.command(
    "why-not",
    epilog="\b\nExamples:\n  liqo-connectivity why-not ip:10.71.9.9 shop/db-0:5432/tcp -f examples/consumer\n"
    "  liqo-connectivity why-not shop/web-0 infra/dns-0 -f examples/consumer -o json",
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST[:PORT/PROTO]")
@click.option(
    "--state",
    type=click.Choice(["new", "established"]),
    default="new",
    show_default=True,
    help="The state of the connection that the packet belongs to.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 20),
    default=_DEPTH,
    show_default=True,
    help="How many rules deep a failure is followed.",
)
@click.option("--full", is_flag=True, help="Show every rule that fails, those that get less far too.")
@operator_option
@output_option("text", "json", "yaml")
@input_options
def command(given: Input, source: str, destination: str, state: str, depth: int, full: bool, output: str) -> int:
    """Say why a flow is not allowed.

    For each peering that denies: the rules of its policy that allow, the side that does not match, and the first
    condition that fails there, down to the fact that is missing or the proof of what should not hold. SRC and DST are
    as for `why`. Exits with 0 when the denial is explained, 1 when the flow is allowed, so that there is nothing to
    explain (the proof is printed), 3 when the input does not tell (what is missing is printed).
    """
    start = endpoints.parse_endpoint(source, given.namespace)
    end, service = endpoints.parse_destination(destination, given.namespace)
    session = Session.open(given)
    report.report_problems(session.reading)
    denials: tuple[Denial, ...] = ()
    try:
        flows = questions(session, start, end, state)
    except endpoints.UnknownEndpointError as error:
        found = answer.unresolved(start, end, service, state, error)
    else:
        model = session.solve(VERDICTS, flows)
        found = answer.make(model, session.reading.base, flows, start, end, service)
        if found.verdict == "denied":
            denials = tuple(_denial(model, p, found, depth) for p in found.peerings if p.verdict == "denied")
        session.verify(model, {*VERDICTS, *_relations(found, denials)}, flows)
    if output == "text":
        lines = _lines(found, denials, full) if denials else answer_text.to_lines(found, full)
        click.echo("\n".join(lines))
    else:
        echo_document(to_json(found, denials), output)
    return EXITS[found.verdict]


def _denial(model: Model, peering: answer.PeeringAnswer, found: answer.Answer, depth: int) -> Denial:
    decided = peering.decision.index if peering.decision else None
    allowing = [
        int(index) for owner, index, action in model.rows("rule") if (owner, action) == (peering.peering, "allow")
    ]
    rules: list[AllowRule] = []
    for index in allowing:
        goals = {side: pattern("side_matches", (peering.peering, index, side, found.flow.flow)) for side in _SIDES}
        absences = {side: why_not(model, goal, depth) for side, goal in goals.items()}
        misses = tuple((side, absence) for side, absence in absences.items() if absence is not None)
        source, destination = (_party(model, peering.peering, index, side) for side in _SIDES)
        rules.append(AllowRule(index, (source, destination), decided is None or index < decided, misses))
    return Denial(peering, tuple(rules))


def _party(model: Model, peering: str, rule: int, side: str) -> str:
    for relation, word in (("party_group", ""), ("party_namespace", "namespace ")):
        for *key, name in model.rows(relation):
            if key == [peering, rule, side]:
                return f"{word}{name}"
    return "any"


def _relations(found: answer.Answer, denials: tuple[Denial, ...]) -> set[str]:
    """Give the relations that an answer rests on."""
    proofs = (relations_of(peering.proof) for peering in found.peerings)
    absences = (absence.relations() for denial in denials for rule in denial.rules for _, absence in rule.misses)
    names: set[str] = set()
    return names.union(*proofs, *absences)


def _lines(found: answer.Answer, denials: tuple[Denial, ...], full: bool) -> list[str]:
    lines = answer_text.headlines(found)
    for denial in denials:
        lines += ["", answer_text.deciding(denial.peering, found.base)]
        lines += [f"  {line}" for line in _denial_lines(denial, found, full)]
    others = [p.peering for p in found.peerings if p.verdict != "denied"]
    return [*lines, "", f"not denied by: {', '.join(others)}"] if others else lines


def _denial_lines(denial: Denial, found: answer.Answer, full: bool) -> Iterator[str]:
    ends = {"source": found.flow.source, "destination": found.flow.destination}
    before = [rule for rule in denial.rules if rule.first]
    if not before:
        yield "no rule before it allows anything"
    for rule in before:
        yield f"rule {rule.index} (allow {' -> '.join(rule.parties)}) does not match:"
        for side, absence in rule.misses:
            party = rule.parties[_SIDES.index(side)]
            yield f"  {side} {ends[side]} is not in {party}:"
            yield from (f"    {line}" for line in failure_lines(absence, found.base, full=full))
    for rule in denial.rules:
        if not rule.first and not rule.misses:
            yield f"rule {rule.index} (allow {' -> '.join(rule.parties)}) matches, but comes later"


def to_json(found: answer.Answer, denials: tuple[Denial, ...]) -> dict[str, Any]:
    """Give the explanation as data; ``why`` is the answer that `why` gives."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "expected": "allowed",
        "verdict": found.verdict,
        "denials": [
            {
                "peering": denial.peering.peering,
                "policy": denial.peering.policy,
                "allowRules": [
                    {
                        "index": rule.index,
                        "source": rule.parties[0],
                        "destination": rule.parties[1],
                        "beforeTheDecision": rule.first,
                        "misses": [
                            {"side": side, "whyNot": absence_json(absence, found.base)} for side, absence in rule.misses
                        ],
                    }
                    for rule in denial.rules
                ],
            }
            for denial in denials
        ],
        "why": answer.to_json(found),
    }
