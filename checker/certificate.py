"""A whole certificate, the answer of ``why`` to one question, checked from its claims down to the facts.

The claims: the ends have these addresses; exactly these peerings govern the flow; each has the verdict that its proof
proves, by the decision it names; the unknowns are complete; and the verdict at the top follows. Of few pairs of addresses, a
certificate holds each. Of many, and between groups, a denial is shown by one pair, but "allowed" would need every pair. Of
all ports, it holds each class that rules tell apart. The relations named here are those of rules/verdicts.dl.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dump import ENFORCER, QUESTION, QUESTION_PORT, SourcedFacts
from liqo_connectivity.checker.ends import End, check_ends, lacks_address, read_end
from liqo_connectivity.checker.limits import Limits, Meter
from liqo_connectivity.checker.pairs import PairClaim, check_pairs, read_pairs
from liqo_connectivity.checker.proof import RejectedError, fields_of, tuples
from liqo_connectivity.checker.questions import WORST, Question, check_classes, deciding, other_question
from liqo_connectivity.checker.schema import Schema, check_form
from liqo_connectivity.checker.steps import StepChecker
from liqo_connectivity.checker.syntax import Constant, Literal, Row, Rule, TrustedRules

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
    "service_target_port",
    "port_class",
    "unwritten",
)
_MISSED: Final = ("rewritten", "passes_input", "unwritten")
"""The relations of flows whose packets need not cross a chain, or not with these addresses."""


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
    if verdict not in WORST or state not in ("new", "established"):
        raise RejectedError("/verdict", str(verdict), "a verdict on a new or established connection is needed")
    rules = _with_groups(rules)
    source, destination = read_end(answer, "source"), read_end(answer, "destination")
    if source.address is None or destination.address is None:
        return _check_no_address(answer, (source, destination), rules, facts, meter)
    claims = read_pairs(answer, source, destination, str(state))
    mentioned = list(tuples([answer.get("peerings"), answer.get("steps")]))
    others = (other_question(row, str(state)) for name, row in mentioned if name == QUESTION)
    questions = {
        *(asked for claim in claims for asked in claim.questions()),
        *(other for other in others if other is not None),
    }
    asserted = _asserted(questions, answer.get("enforcer"))
    given = {name: rows.keys() for name, rows in facts.items()}
    named = {name for name, _ in mentioned if name in rules.columns}
    follows = Consequences(rules.rules, {**given, **asserted}, named.union(CLAIMS), meter)
    meant = check_ends(source, destination, facts, follows)
    steps = StepChecker(rules, facts, asserted, follows)
    steps.check_shared(_list(answer.get("steps", []), "/steps"), set(_roots(claims)))
    for claim in claims:
        for fields, place, asked in claim.parts():
            for number, peering in enumerate(_peerings(fields, place)):
                _check_peering(peering, f"{place}/peerings/{number}", asked.name, steps)
            _check_claims(fields, place, asked, follows)
        _check_ports(claim, follows)
    check_pairs(answer, claims, meant, str(verdict))
    owners = tuple(str(peering.get("peering")) for peering in _peerings(answer, ""))
    return Checked(
        str(verdict), source.address, destination.address, owners, steps.derived, steps.leaves, steps.absences
    )


def _peerings(part: Mapping[str, object], place: str) -> list[Mapping[str, object]]:
    entries = enumerate(_list(part.get("peerings"), f"{place}/peerings"))
    return [fields_of(entry, f"{place}/peerings/{number}") for number, entry in entries]


def _roots(claims: Iterable[PairClaim]) -> Iterator[int]:
    """Give the numbers of the shared steps that proofs name as their roots."""
    for claim in claims:
        for fields, place, _ in claim.parts():
            for peering in _peerings(fields, place):
                for proof in (peering.get("proof"), *_list(peering.get("alternatives", []), place)):
                    root = fields_of(proof, place).get("root")
                    if type(root) is int:
                        yield root


def _asserted(questions: Iterable[Question], enforcer: object) -> dict[str, set[Row]]:
    """Give the facts that the question asserts."""
    questions = list(questions)
    ports: set[Row] = {(each.name, *each.port) for each in questions if each.port is not None}
    loads: set[Row] = set() if enforcer is None else {(str(enforcer),)}
    return {QUESTION: {each.flow for each in questions}, QUESTION_PORT: ports, ENFORCER: loads}


def _check_ports(claim: PairClaim, follows: Consequences) -> None:
    """Check that a claim about all ports holds each class of ports, and is about the worst."""
    if claim.destination.port is not None:
        if claim.classes:
            raise RejectedError(f"{claim.place}/ports", "", "the question names a port")
        return
    check_classes(claim.classes, claim.place, claim.whole, follows)
    if claim.classes and deciding(claim.classes).verdict != claim.fields.get("verdict"):
        raise RejectedError(
            f"{claim.place}/verdict", str(claim.fields.get("verdict")), "it is not the worst of all ports"
        )


def _check_no_address(
    answer: Mapping[str, object], ends: tuple[End, End], rules: TrustedRules, facts: SourcedFacts, meter: Meter
) -> Checked:
    """Check an answer about an end without a known address: it claims nothing else."""
    if answer.get("verdict") != "unknown" or answer.get("peerings") != []:
        raise RejectedError("/verdict", str(answer.get("verdict")), "without addresses no verdict is known")
    if answer.get("pairs") != {"allowed": 0, "denied": 0, "unknown": 1} or {"ports", "otherPairs", "steps"} & set(
        answer
    ):
        raise RejectedError("/pairs", str(answer.get("pairs")), "without addresses there is one pair, which is unknown")
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


def _check_peering(claim: Mapping[str, object], place: str, flow: str, steps: StepChecker) -> None:
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


def _check_claims(answer: Mapping[str, object], place: str, asked: Question, follows: Consequences) -> None:
    """Check what stands above the proofs: that all peerings and reasons are there, and that the verdict follows."""
    flow = asked.name
    claims = _peerings(answer, place)
    named = [claim.get("peering") for claim in claims]
    for peering, policy, other in sorted(follows.rows("governs")):
        if other == flow and peering not in named:
            raise RejectedError(f"{place}/peerings", "", f"{peering} governs the flow by {policy}, and is left out")
    if len(set(named)) != len(named):
        raise RejectedError(f"{place}/peerings", "", "a peering is named twice")
    entries = [fields_of(entry, f"{place}/unknown") for entry in _list(answer.get("unknown"), f"{place}/unknown")]
    claimed = [tuple(entry.get(name) for name in ("object", "reason", "detail")) for entry in entries]
    known = {
        (f"{kind} {found}".strip(), reason, detail)
        for other, reason, kind, found, detail in follows.rows("unknown_because")
        if other == flow
    }
    for number, entry in enumerate(claimed):
        if entry not in known:
            raise RejectedError(f"{place}/unknown/{number}", str(entry[0]), "this does not make the verdict unknown")
    if known - set(claimed):
        left = min(known - set(claimed), key=str)
        raise RejectedError(
            f"{place}/unknown", "", f"{left[1]} of {left[0]} makes the verdict unknown, and is left out"
        )
    # A chain that drops a packet proves nothing if the packet need not cross it.
    crosses = not any(row[0] == flow for name in _MISSED for row in follows.rows(name))
    denied = crosses and any(claim.get("verdict") == "denied" for claim in claims)
    verdict = "denied" if denied else "unknown" if known else "allowed"
    # The same by the rules: this fails if the rules change what a verdict follows from.
    if answer.get("verdict") != verdict or (flow, verdict) not in follows.rows("flow_verdict"):
        raise RejectedError(f"{place}/verdict", str(answer.get("verdict")), f"the verdict that follows is {verdict}")


def _with_groups(rules: TrustedRules) -> TrustedRules:
    """Add the facts that loading the policy adds: ``group(name, relation)`` for each group that a head names, and
    ``pod_group(name)`` for each that a head of group_pod does.
    """
    added: list[Rule] = []
    for rule in rules.rules:
        name = rule.head.name
        if name not in ("member", "member_cidr", "group_pod") or len(rule.head.terms) < 2:
            continue
        group = rule.head.terms[1]
        if isinstance(group, Constant):
            is_pod = name == "group_pod"
            fact = Literal("atom", *(("pod_group", (group,)) if is_pod else ("group", (group, Constant(name)))))
            added.append(Rule(fact, (), rule.file, rule.head_line, rule.head_line))
    return TrustedRules(rules.columns, rules.inputs, (*rules.rules, *added))


def _list(node: object, place: str) -> Sequence[object]:
    if not isinstance(node, list):
        raise RejectedError(place, "", "a list is needed here")
    return cast("list[object]", node)
