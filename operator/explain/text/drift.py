"""What drifted, in sentences: a line for each comparison, and one below it for each difference, with its proof if asked for."""

from collections.abc import Iterable, Iterator, Sequence

from liqo_connectivity import chains
from liqo_connectivity.chains import Difference
from liqo_connectivity.engine import Explainer, Model, Proof, pattern, prove, why_not
from liqo_connectivity.facts import FactBase, one_line
from liqo_connectivity.operator.explain.drift import Comparison, Report, rule_index
from liqo_connectivity.operator.explain.parties import rule_name, rule_text
from liqo_connectivity.operator.explain.text.absence import failure_lines
from liqo_connectivity.operator.explain.text.proof import proof_lines

DEPTH = 4
"""How many rules deep is followed why an address is no element."""


def comparison_lines(compared: Comparison, model: Model, base: FactBase, explainer: Explainer | None) -> list[str]:
    """Lay out a comparison that found differences; with an ``explainer``, prove what rules derive of each."""
    since = f", last written {compared.since}" if compared.since else ""
    # The policies of a comparison are told apart by the peering.
    policy = f" PeeringConnectivity {compared.policy}" if compared.wanted == "the policy" else ""
    lines = [f"{compared.peering}: {compared.found} differs from {compared.wanted}{policy}{since}"]
    if compared.waits:
        lines.append("  its policy is pending, so the last enforced chain stays")
    for difference in compared.differences:
        lines.append(f"  {sentence(difference, compared, base)}")
        if explainer is not None:
            lines += (f"    {line}" for line in _reason(difference, compared, model, base, explainer))
    return lines


def report_lines(reports: Iterable[Report], node: str) -> list[str]:
    """Say what the agent of a node reports of a stored object."""
    return [
        f"  the agent {report.host} of node {node} reports that it {'applied' if report.applied else 'could not apply'} it"
        + (f", since {report.since}" if report.since else "")
        for report in reports
    ]


def sentence(difference: Difference, compared: Comparison, base: FactBase) -> str:
    """Say what one difference is."""
    name, text = one_line(difference.name), one_line(difference.text)
    match difference.part, difference.change:
        case "element", change:
            owners = sorted(str(pod) for pod, address in base.rows("pod_ip") if address == difference.name)
            of = f" (Pod {', '.join(owners[:3])})" if owners else ""
            return f"{change}: element {name}{of} of set {text}"
        case "rule", "renamed":
            return (
                f"renamed: {_rule(difference, compared, base)}{_place(difference)}: rules have other names from here on"
            )
        case "rule", change:
            return f"{change}: {_rule(difference, compared, base)}{_place(difference)}: {text}"
        case "label", _:
            return f"missing: label {name}={text}, without which no agent applies the object"
        case "chain" | "table" as part, "changed":
            return f"changed: {part} {name}: {text}"
        case "object", "changed":
            return f"changed: {name}: {text}"
        case "object", "extra" if name.endswith(chains.STANDIN):
            return f"extra: {name}, a stand-in: an edit of the policy is under way"
        case "object", change:
            return f"{change}: {name}"
        case part, change:
            return f"{change}: {part} {name}"


def _place(difference: Difference) -> str:
    """Say in which chain a rule stands, if the table may have several."""
    return "" if difference.chain in ("", chains.WHOLE) else f" in chain {one_line(difference.chain)}"


def _rule(difference: Difference, compared: Comparison, base: FactBase) -> str:
    """Name a rule of a chain by the rule of the policy that it stands for."""
    match rule_index(difference):
        case ("rule", index):
            written = f" ({rule_text(base, compared.policy, index)})" if _is_rule(base, compared.policy, index) else ""
            return f"rule {index}{rule_name(base, compared.policy, index)}{written}"
        case ("established", _):
            return "the rule for established connections"
        case ("neighbours", _):
            return "the rule for ICMPv6 that networks need"
        case ("guard", _):
            return "a guard for packets that another base chain judges"
        case ("default", _):
            return "the default"
        case _:
            return f"rule named {one_line(difference.name)}" if difference.name else "rule without a name"


def _is_rule(base: FactBase, policy: str, index: int) -> bool:
    return (policy, index) in {(row[0], row[1]) for row in base.rows("policy_rule")}


def _reason(
    difference: Difference, compared: Comparison, model: Model, base: FactBase, explainer: Explainer
) -> Iterator[str]:
    """Prove what the rules say of a rule or of an element, or why they do not say it."""
    for relation, row in rows_of(difference, compared, model):
        proof = prove(explainer, relation, row) if model.contains(relation, row) else None
        if isinstance(proof, Proof):
            yield from proof_lines(proof, base)
        else:
            reason = why_not(explainer, pattern(relation, row), DEPTH)
            if reason is not None:
                yield from failure_lines(reason, base)


def rows_of(difference: Difference, compared: Comparison, model: Model) -> Sequence[tuple[str, tuple[str | int, ...]]]:
    """The tuples that would have to hold for a rule or an element to be wanted, whether they hold or not."""
    if difference.part == "element":
        sets = [
            row[-2:]
            for name in ("chain_set", "chain_part_set")
            for row in model.rows(name)
            if row[0] == compared.peering
        ]
        party = chains.party_of(difference.text, {(str(kind), str(name)) for kind, name in sets})
        if party is None:
            return []
        relation = "chain_gathered" if party[0] == "gathered" else "chain_element"
        return [(relation, (compared.peering, *party, difference.name))]
    origin = rule_index(difference) if difference.part == "rule" else None
    if origin is None:
        return []
    # Of the rules of the chain that stand for one rule of the policy, the first says why it is there.
    rows = [row for row in model.rows("chain_rule") if row[0] == compared.peering and (row[2], row[3]) == origin]
    return [("chain_rule", row) for row in sorted(rows)[:1]]
