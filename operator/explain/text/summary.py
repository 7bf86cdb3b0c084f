"""The answer to ``why`` in a few plain sentences: what is read first, at any hour.

It has at most ``LIMIT`` lines however many peerings, pairs of addresses and reasons there are. What does not fit is
counted, and ``--proof`` prints it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from liqo_connectivity.engine import Proof
from liqo_connectivity.facts import FactBase, one_line
from liqo_connectivity.operator.explain.answer import WORST, Answer
from liqo_connectivity.operator.explain.decisions import Mismatch, PeeringAnswer
from liqo_connectivity.operator.explain.parties import ANY, SIDES, parties, rule_name, rule_text
from liqo_connectivity.operator.explain.proof_steps import QUESTION, evidence, place, sources
from liqo_connectivity.operator.explain.text.answer import (
    deciding,
    headlines,
    not_covered_lines,
    ungoverned,
    unknown_lines,
)
from liqo_connectivity.operator.explain.text.labels import label_evidence

LIMIT: Final = 12
"""The most lines of a summary."""
_REASONS: Final = 3
"""The most reasons of an unknown verdict that are written out."""
_BLIND_SPOTS: Final = 4
"""The most blind spots that are written out."""
_RULES: Final = 2
"""The most rules before the deciding one that are written out."""
_ADDRESS: Final = ("pod_ip", "endpoint_slice_address", "network_status_cidr")
"""Facts that say which address or CIDR an end is."""
_WRITTEN: Final = ("policy_party_cidr", "policy_party_group")
"""Facts of the policy that say it where no other object does."""
_OWNER: Final = (
    "namespace_offloading_value",
    "namespace_offloading_requirement",
    "namespace_offloading",
    "virtual_node",
    "node_cluster",
    "namespace_managed_by",
    "namespace_cluster",
)
"""Facts that say to which peering a pod or a namespace belongs, the most telling first."""


def summary_lines(found: Answer) -> list[str]:
    """Lay the answer out in at most ``LIMIT`` lines, the verdict first."""
    head = headlines(found)
    if not found.peerings and found.verdict == "allowed":
        head.append(ungoverned())
    unknown = _folded(unknown_lines(found), _REASONS, "reason")
    foot = [*unknown, *_folded(not_covered_lines(found), _BLIND_SPOTS, "blind spot"), _more(found)]
    # One more line is kept free: that which counts the peerings that do not fit.
    lines = [*head, *_peerings(found, LIMIT - len(head) - len(foot) - 1), *foot]
    return [one_line(line) for line in lines]


def _folded(lines: Sequence[str], most: int, word: str) -> list[str]:
    """Keep the first lines and count the rest."""
    if len(lines) <= most:
        return list(lines)
    rest = len(lines) - most + 1
    return [*lines[: most - 1], f"and {rest} more {word}s (--proof)"]


def _peerings(found: Answer, room: int) -> list[str]:
    """Write a paragraph for each peering while there is room, those that decide first; then a line each; then a count."""
    ordered = sorted(found.peerings, key=lambda p: WORST.index(p.verdict))
    lines: list[str] = []
    for number, peering in enumerate(ordered):
        paragraph = [deciding(peering, found), *(f"  {line}" for line in _because(peering, found))]
        others = len(ordered) - number - 1
        if len(lines) + len(paragraph) + min(others, 1) <= room:
            lines += paragraph
        elif len(lines) + 1 <= room:
            lines += paragraph[:1]
        else:
            rest = ordered[number:]
            counts = [(verdict, sum(p.verdict == verdict for p in rest)) for verdict in WORST]
            lines.append(
                f"and {', '.join(f'{count} more {verdict}' for verdict, count in counts if count)} by their policies (--proof)"
            )
            break
    return lines


def _because(peering: PeeringAnswer, found: Answer) -> list[str]:
    """Say why each end matches the rule that decides, or why the policy governs the flow; and which rules do not match."""
    base = found.base
    matching = {str(node.row[2]): node for node in _nodes(peering.proof, "side_matches")}
    if peering.decision is not None and peering.decision.kind == "rule":
        index = int(peering.decision.rule or 0)
        named = zip(SIDES, parties(base, peering.policy, index), strict=True)
        lines = [_end(side, party, matching[side], found) for side, party in named if side in matching]
    else:
        lines = [_governed(node, found) for node in _nodes(peering.proof, "in_scope")[:1]]
    return [*lines, *_rules_before(peering, base)]


def _end(side: str, party: str, node: Proof, answer: Answer) -> str:
    base = answer.base
    found = _key_evidence(node, base)
    if party == ANY:
        return f"The {side} may be anything, as the rule names none: {found}"
    if party.startswith("the pods "):
        return f"The {side} is one of {party} by {', and '.join([found, *label_evidence(node, base)])}"
    return f"The {side} is in {party} by {found}"


def _governed(node: Proof, found: Answer) -> str:
    side = SIDES[int(node.row[1] == found.flow.destination)]
    return f"The policy governs it because the {side} belongs to {node.row[0]}, by {_key_evidence(node, found.base)}"


def _nodes(root: Proof, relation: str) -> list[Proof]:
    return [node for node in root.walk() if isinstance(node, Proof) and node.relation == relation]


def _key_evidence(node: Proof, base: FactBase) -> str:
    """Name the object and field that say which address an end is, and those that say whose it is."""
    leaves = [n for n in node.walk() if isinstance(n, Proof) and n.rule is None and n.relation != QUESTION]
    # The Networks in a proof about CIDRs are those that it leaves out.
    is_block = any(isinstance(n, Proof) and n.relation in ("party_block", "carved") for n in node.walk())
    address = _first(leaves, _WRITTEN if is_block else _ADDRESS)
    chosen = [address]
    if address is not None and address.relation == "endpoint_slice_address":
        chosen.append(_first(leaves, ("endpoint_slice_dns",)))
    if address is not None and address.relation == "pod_ip":
        namespace = str(address.row[0]).partition("/")[0]
        # The labels of a tenant namespace say whose the peering is, not whose the pod is.
        chosen.append(
            _first([n for n in leaves if not n.relation.startswith("namespace_") or namespace in n.row], _OWNER)
        )
    named = [evidence(sources(leaf, base)[:1]) for leaf in chosen if leaf is not None]
    if named:
        return ", and ".join(named)
    # A group of constant addresses, or a side that may be anything.
    rule = _first(leaves, ("policy_rule",))
    if rule is not None:
        return evidence(sources(rule, base)[:1])
    members = [n for n in node.walk() if isinstance(n, Proof) and n.relation in ("member", "member_cidr")]
    return f"the rule {place(members[0])}" if members else f"the rule {place(node)}"


def _first(leaves: Sequence[Proof], relations: Iterable[str]) -> Proof | None:
    for relation in relations:
        for leaf in leaves:
            if leaf.relation == relation:
                return leaf
    return None


def _rules_before(peering: PeeringAnswer, base: FactBase) -> list[str]:
    """Say on one line why the rules that would decide differently do not match; no line if there are none."""
    decision = peering.decision
    other = [rule for rule in peering.mismatches if decision is not None and rule.action != decision.action]
    if decision is None or not other:
        return []
    rules = f"{'Earlier rules' if decision.kind == 'rule' else 'Rules'} that would {other[0].action} it"
    # Those that only their ports keep from matching are what a reader looks for.
    near = [rule for rule in other if not rule.sides] or other
    shown = [_mismatch(rule, peering, base) for rule in near[-_RULES:]]
    more = f", and {len(other) - len(shown)} more" if len(other) > len(shown) else ""
    return [f"{rules} do not match: {', '.join(shown)}{more}"]


def _mismatch(found: Mismatch, peering: PeeringAnswer, base: FactBase) -> str:
    what = "both ends" if len(found.sides) == 2 else f"the {found.sides[0]}" if found.sides else "the port"
    name = rule_name(base, peering.policy, found.rule)
    return f"rule {found.rule}{name} ({rule_text(base, peering.policy, found.rule)}) for {what}"


def _more(found: Answer) -> str:
    hints = ["--proof prints every step"] if found.peerings else []
    if found.verdict == "denied":
        hints.append("why-not explains the rules that do not match")
    hints.append("-o json prints it as data")
    return f"more: {', '.join(hints)}"
