"""What commands say on stderr besides their answer: problems of the input, pending policies, findings.

One sentence for each reason and code that rules derive; which of them holds is the rules' business.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

import click

from liqo_connectivity.engine import Model, Value
from liqo_connectivity.facts import Reading
from liqo_connectivity.facts.base.problems import one_line

REASONS: Final[Mapping[str, str]] = {
    "NetworkNotReady": "IPAM has not assigned its CIDR yet",
    "NetworkTerminating": "its CIDR is about to change",
    "NetworkMissing": "no Network stands for a CIDR that it names",
    "NoRemoteNetwork": "the peering has no pod CIDR",
    "NoLocalNetwork": "this cluster has no pod CIDR",
    "LocalNetworkNotReady": "IPAM has not assigned its CIDR yet",
    "InvalidCIDR": "Liqo would never assign this CIDR",
    "CIDROverlap": "its CIDR overlaps another",
    "NamespaceTerminating": "nothing can be made in it any more",
    "ObjectUnreadable": "it could not be read",
    "MemberUnknown": "the address of a member cannot be judged until the Networks of its cluster are ready",
    "UnsupportedLiqo": "the installed Liqo cannot enforce chains: it lacks what no release up to v1.2.0 has",
    "InvalidPolicy": "a rule of the policy is wrong",
    "Conflict": "another policy governs this peering",
    "EmptyGroup": "the group has no members now",
    "EndpointUnknown": "its address is not known",
    "ClusterIDExtractionFailed": "a policy belongs into the tenant namespace of a peering, liqo-tenant-<cluster id>",
}
"""What each reason of a pending policy means."""

FINDINGS: Final[Mapping[str, str]] = {
    "StaleAddress": "the address is outside its cluster's current CIDRs, so it is in no set",
    "AddressOfAnotherPeering": "the stale address now lies in a CIDR of another peering",
    "ForgedShadowLabel": "it carries liqo.io/shadowPod on a physical node: treated as a local pod",
    "ForgedOriginLabel": "it carries offloading.liqo.io/origin outside that cluster's namespaces: not counted as offloaded",
    "NodeUnknown": "it carries liqo.io/shadowPod, but its node is not among the objects",
    "IPv6NotEnforced": "the chains filter IPv4 only",
    "NotMapped": "it is offloaded, but no NamespaceMap names it yet: its pods are not in vc-local",
    "RoleMismatch": "the role of the remote cluster leaves this group empty",
}
"""What each finding means; findings about a peering's CIDRs share the reasons above."""


def report_problems(reading: Reading) -> None:
    """Name every object or part of a file that could not be read, and count what was left alone."""
    for problem in reading.problems:
        click.echo(f"error: {problem}", err=True)
    if reading.unknown_kinds:
        counts = ", ".join(f"{count} {kind.split()[-1]}" for kind, count in reading.unknown_kinds.items())
        click.echo(f"note: left alone, since no rule reads their kinds: {counts}", err=True)


def report_pending(model: Model, namespace: str) -> None:
    """Name every policy without a chain of its own, and why; ``namespace`` narrows it down unless empty."""
    for policy, *why in in_namespace(model.rows("pending"), namespace):
        click.echo(f"pending: PeeringConnectivity {policy}: {sentence(*why)}", err=True)
    for line in invalid_rules(model, namespace):
        click.echo(line, err=True)
    if namespace and not in_namespace(model.rows("policy"), namespace):
        click.echo(f"note: there is no policy in namespace {namespace}", err=True)


def invalid_rules(model: Model, namespace: str) -> list[str]:
    """Name every rule of a policy that is wrong, with its field and, for a group that does not exist, those that do."""
    lines: list[str] = []
    groups = sorted({str(group) for group, _ in model.rows("group")})
    for policy, rule, field, problem in in_namespace(model.rows("invalid_rule"), namespace):
        lines.append(f"error: PeeringConnectivity {policy} /spec/rules/{rule}/{field}: {problem}")
        named = [group for *place, group in model.rows("policy_party_group") if place == [policy, rule, field]]
        if named and named[0] not in groups:
            near = get_close_matches(str(named[0]), groups, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            lines.append(f"  = help: {hint}the groups are {', '.join(groups)}; --rules adds others")
    return lines


def report_findings(model: Model) -> int:
    """Name what is odd about the cluster; give the number of findings."""
    rows = model.rows("finding")
    for code, kind, found, detail in rows:
        click.echo(f"warning: {sentence(str(code), kind, found, detail)}", err=True)
    return len(rows)


def report_endpoints(model: Model, pods: Iterable[str]) -> None:
    """Say what is odd about the pods that a question names."""
    for pod in dict.fromkeys(pods):
        for code, kind, found, detail in model.rows("finding"):
            if (kind, found) == ("Pod", pod):
                click.echo(f"warning: {sentence(code, kind, found, detail)}", err=True)
        if (pod,) in model.relation("finished"):
            click.echo(f"warning: Pod {pod} has ended: its address may be another Pod's by now", err=True)


def sentence(reason: object, kind: object, found: object, detail: object) -> str:
    """Write a reason or finding with its object: ``Reason: Kind name: what it means (detail)``."""
    text = REASONS.get(str(reason)) or FINDINGS.get(str(reason), "")
    subject = f"{kind} {found}".strip() or "the input"
    # Labels and texts of files come from tenants: they must not be able to forge a line of a report.
    return one_line(f"{reason}: {subject}: {text} ({detail})" if text else f"{reason}: {subject}: {detail}")


def in_namespace(rows: Iterable[tuple[Value, ...]], namespace: str) -> list[tuple[Value, ...]]:
    """Keep the rows whose first column is an object of a namespace; all of them if the namespace is empty."""
    return [row for row in rows if not namespace or str(row[0]).startswith(f"{namespace}/")]
