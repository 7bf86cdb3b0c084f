"""A whole certificate, the answer of ``why`` to one question, checked from its claims down to the facts.

The claims: the ends have these addresses; exactly these peerings govern the flow; each has the verdict that its proof
proves, by the decision it names; the unknowns are complete; and the verdict at the top follows. Between groups, a
denial is shown by one pair of addresses, but "allowed" would need every pair, which a certificate does not hold. The
relations named here are those of rules/verdicts.dl.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dump import QUESTION, QUESTION_PORT, SourcedFacts, row_of
from liqo_connectivity.checker.ends import End, check_ends, lacks_address, read_end
from liqo_connectivity.checker.functors import address_family
from liqo_connectivity.checker.limits import Limits, Meter
from liqo_connectivity.checker.proof import RejectedError, fields_of, tuples
from liqo_connectivity.checker.schema import Schema, check_form
from liqo_connectivity.checker.steps import StepChecker
from liqo_connectivity.checker.syntax import Constant, Literal, Row, Rule, TrustedRules, Value

SCHEMA_VERSION: Final = 2
CLAIMS: Final = (
    "flow_verdict",
    "governs",
    "peering_verdict",
    "decided_by",
    "unknown_because",
    "in_group",
    "rewritten",
    "passes_input",
    "service_target",
    "service_endpoint",
)
VERDICTS: Final = ("allowed", "denied", "unknown")


class NotShownError(Exception):
    """The certificate neither proves nor disproves a claim."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a valid certificate says, and how many steps, facts and absences were checked."""

    verdict: str
    source: str
    destination: str
    peerings: tuple[str, ...]
    steps: int
    facts: int
    absences: int


def check(
    document: object, rules: TrustedRules, facts: SourcedFacts, schema: Schema, limits: Limits | None = None
) -> Checked:
    """Check a certificate, which has the form of the published schema.

    Raises RejectedError, NotShownError, RulesError for rules that mean nothing, and LimitError for rules that take too much.
    """
    meter = Meter(limits)
    check_form(document, schema)
    answer = fields_of(document, "")
    verdict, state = answer.get("verdict"), answer.get("state")
    if answer.get("schemaVersion") != SCHEMA_VERSION:
        raise RejectedError("/schemaVersion", str(answer.get("schemaVersion")), f"version {SCHEMA_VERSION} is needed")
    if verdict not in VERDICTS or state not in ("new", "established"):
        raise RejectedError("/verdict", str(verdict), "a verdict on a new or established connection is needed")
    rules = _with_groups(rules)
    source, destination = read_end(answer, "source"), read_end(answer, "destination")
    if source.address is None or destination.address is None:
        return _check_no_address(answer, (source, destination), rules, facts, meter)
    flow = _name(source.address, destination.address)
    question: Row = (flow, source.address, destination.address, str(state))
    peerings = [fields_of(p, f"/peerings/{n}") for n, p in enumerate(_list(answer.get("peerings"), "/peerings"))]
    mentioned = list(tuples(list(peerings)))
    named = {name for name, _ in mentioned if name in rules.columns}
    given = {name: rows.keys() for name, rows in facts.items()}
    others = (_question(row, str(state)) for name, row in mentioned if name == QUESTION)
    questions = {question, *(other for other in others if other is not None)}
    port = destination.port
    ports: set[Row] = {(question[0], *port) for question in questions} if port is not None else set()
    follows = Consequences(
        rules.rules, {**given, QUESTION: questions, QUESTION_PORT: ports}, named.union(CLAIMS), meter
    )
    single = check_ends(source, destination, facts, follows)
    steps = StepChecker(rules, facts, frozenset(questions), follows)
    for number, peering in enumerate(peerings):
        _check_peering(peering, f"/peerings/{number}", flow, steps)
    _check_claims(answer, flow, follows)
    _check_pairs(answer, str(verdict), single=single)
    owners = tuple(str(peering.get("peering")) for peering in peerings)
    return Checked(
        str(verdict), source.address, destination.address, owners, steps.derived, steps.leaves, steps.absences
    )


def _name(source: str, destination: str) -> str:
    return f"{source} -> {destination}"


def _question(row: object, state: str) -> Row | None:
    """Read another question that was asked about together with this one, since proofs may mention it.

    It is named by its addresses, so that it cannot say anything about the question of the certificate.
    """
    found = row_of(row, ("symbol",) * 4)
    if found is None:
        return None
    name, source, destination, asked = map(str, found)
    is_flow = bool(address_family(source) and address_family(destination))
    return found if is_flow and (name, asked) == (_name(source, destination), state) else None


def _check_no_address(
    answer: Mapping[str, object], ends: tuple[End, End], rules: TrustedRules, facts: SourcedFacts, meter: Meter
) -> Checked:
    """Check an answer about an end without a known address: it claims nothing else."""
    if answer.get("verdict") != "unknown" or answer.get("peerings") != []:
        raise RejectedError("/verdict", str(answer.get("verdict")), "without addresses no verdict is known")
    _check_pairs(answer, "unknown", single=True)
    entries = _list(answer.get("unknown"), "/unknown")
    entry = fields_of(entries[0] if len(entries) == 1 else None, "/unknown/0")
    claimed = str(entry.get("object"))
    known = {
        "EndpointUnknown": ("Pod ", "Service "),
        "EmptyGroup": ("Group ",),
        "ServiceUnresolved": ("Service ",),
    }.get(str(entry.get("reason")))
    if (
        known is None
        or not claimed.startswith(known)
        or not any(lacks_address(end, claimed, rules, facts, meter) for end in ends)
    ):
        raise RejectedError("/unknown/0", claimed, "the address of this end is known")
    return Checked("unknown", ends[0].endpoint, ends[1].endpoint, (), 0, 0, 0)


def _check_peering(claim: Mapping[str, object], place: str, flow: Value, steps: StepChecker) -> None:
    peering, policy, verdict = claim.get("peering"), claim.get("policy"), claim.get("verdict")
    others = _list(claim.get("alternatives", []), f"{place}/alternatives")
    proofs = [(claim.get("proof"), f"{place}/proof")]
    proofs += [(proof, f"{place}/alternatives/{number}") for number, proof in enumerate(others)]
    for proof, where in proofs:
        if steps.check(proof, where) != ("peering_verdict", (peering, flow, verdict)):
            raise RejectedError(where, str(peering), f"it does not prove that {peering} says {verdict}")
    if (peering, policy, flow) not in steps.follows.rows("governs"):
        raise RejectedError(f"{place}/policy", str(policy), f"it does not govern the flow for {peering}")
    if claim.get("namespace") != str(policy).partition("/")[0]:
        raise RejectedError(f"{place}/namespace", str(claim.get("namespace")), "it is not the namespace of the policy")
    decided: list[dict[str, object]] = [
        {"kind": kind, "index": rule if kind == "rule" else None, "action": action}
        for owner, asked, kind, rule, action in steps.follows.rows("decided_by")
        if (owner, asked) == (peering, flow)
    ]
    if not (claim.get("decidedBy") in decided or (claim.get("decidedBy") is None and not decided)):
        raise RejectedError(f"{place}/decidedBy", str(claim.get("decidedBy")), f"{peering} decides in another way")


def _check_claims(answer: Mapping[str, object], flow: Value, follows: Consequences) -> None:
    """Check what stands above the proofs: that all peerings and reasons are there, and that the verdict follows."""
    claims = [fields_of(p, "/peerings") for p in _list(answer.get("peerings"), "/peerings")]
    named = [claim.get("peering") for claim in claims]
    for peering, policy, asked in sorted(follows.rows("governs")):
        if asked == flow and peering not in named:
            raise RejectedError("/peerings", "", f"{peering} governs the flow by {policy}, and is left out")
    if len(set(named)) != len(named):
        raise RejectedError("/peerings", "", "a peering is named twice")
    entries = [fields_of(entry, "/unknown") for entry in _list(answer.get("unknown"), "/unknown")]
    claimed = [tuple(entry.get(name) for name in ("object", "reason", "detail")) for entry in entries]
    known = {
        (f"{kind} {found}".strip(), reason, detail)
        for asked, reason, kind, found, detail in follows.rows("unknown_because")
        if asked == flow
    }
    for number, entry in enumerate(claimed):
        if entry not in known:
            raise RejectedError(f"/unknown/{number}", str(entry[0]), "this does not make the verdict unknown")
    if known - set(claimed):
        left = min(known - set(claimed), key=str)
        raise RejectedError("/unknown", "", f"{left[1]} of {left[0]} makes the verdict unknown, and is left out")
    # A chain that drops a packet proves nothing if the packet need not cross it.
    crosses = not any(row[0] == flow for name in ("rewritten", "passes_input") for row in follows.rows(name))
    denied = crosses and any(claim.get("verdict") == "denied" for claim in claims)
    verdict = "denied" if denied else "unknown" if known else "allowed"
    # The same by the rules: this fails if the rules change what a verdict follows from.
    if answer.get("verdict") != verdict or (flow, verdict) not in follows.rows("flow_verdict"):
        raise RejectedError("/verdict", str(answer.get("verdict")), f"the verdict that follows is {verdict}")


def _check_pairs(answer: Mapping[str, object], verdict: str, *, single: bool) -> None:
    pairs = fields_of(answer.get("pairs"), "/pairs")
    counts = {name: pairs.get(name) for name in VERDICTS}
    asked = [count for count in counts.values() if type(count) is int and count >= 0]
    if len(asked) != len(VERDICTS) or len(pairs) != len(VERDICTS) or not counts[verdict]:
        raise RejectedError("/pairs", str(pairs), "the verdict is that of no pair")
    if sum(asked) != 1 and single:
        raise RejectedError("/pairs", str(pairs), "there is one pair of addresses")
    if not single and verdict != "denied":
        shown = f"one pair of addresses is shown to be {verdict}, and not that every other one is"
        raise NotShownError(f"{shown}: of several pairs, a certificate shows a denial only")


def _with_groups(rules: TrustedRules) -> TrustedRules:
    """Add the facts that loading the policy adds: ``group(name, relation)`` for each group that a head names."""
    heads = [
        (r, r.head.terms[1]) for r in rules.rules if r.head.name in ("member", "member_cidr") and len(r.head.terms) > 1
    ]
    added = tuple(
        Rule(Literal("atom", "group", (group, Constant(rule.head.name))), (), rule.file, rule.head_line, rule.head_line)
        for rule, group in heads
        if isinstance(group, Constant)
    )
    return TrustedRules(rules.columns, rules.inputs, (*rules.rules, *added))


def _list(node: object, place: str) -> Sequence[object]:
    if not isinstance(node, list):
        raise RejectedError(place, "", "a list is needed here")
    return cast("list[object]", node)
