"""What commands say on stderr besides their answer: problems of the input, pending policies, findings.

One sentence for each reason and code that rules derive; which of them holds is the rules' business.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import Reading

REASONS: Final[Mapping[str, str]] = {
    "NetworkNotReady": "IPAM has not assigned its CIDR yet",
    "NetworkTerminating": "its CIDR is about to change",
    "NetworkMissing": "no Network stands for a CIDR that it names",
    "NoRemoteNetwork": "the peering has no pod CIDR",
    "NoLocalNetwork": "this cluster has no pod CIDR",
    "LocalNetworkNotReady": "IPAM has not assigned its CIDR yet",
    "InvalidCIDR": "Liqo would never assign this CIDR",
    "CIDROverlap": "its CIDR overlaps another",
    "ObjectUnreadable": "it could not be read",
    "MemberUnknown": "the address of a member cannot be judged until the Networks of its cluster are ready",
    "UnsupportedLiqo": "the installed Liqo cannot enforce chains: no release up to v1.2.0 has this field",
    "InvalidPolicy": "a rule of the policy is wrong",
    "Conflict": "another policy governs this peering",
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
    for policy, reason, kind, found, detail in _in_namespace(model.rows("pending"), namespace):
        click.echo(f"pending: PeeringConnectivity {policy}: {sentence(reason, kind, found, detail)}", err=True)
    for policy, rule, field, problem in _in_namespace(model.rows("invalid_rule"), namespace):
        click.echo(f"error: PeeringConnectivity {policy} /spec/rules/{rule}/{field}: {problem}", err=True)


def report_findings(model: Model) -> int:
    """Name what is odd about the cluster; give the number of findings."""
    rows = model.rows("finding")
    for code, kind, found, detail in rows:
        click.echo(f"warning: {sentence(str(code), kind, found, detail)}", err=True)
    return len(rows)


def sentence(reason: object, kind: object, found: object, detail: object) -> str:
    """Write a reason or finding with its object: ``Reason: Kind name: what it means (detail)``."""
    text = REASONS.get(str(reason)) or FINDINGS.get(str(reason), "")
    subject = f"{kind} {found}".strip() or "the input"
    return f"{reason}: {subject}: {text} ({detail})" if text else f"{reason}: {subject}: {detail}"


def _in_namespace(rows: Iterable[tuple[object, ...]], namespace: str) -> list[tuple[object, ...]]:
    return [row for row in rows if not namespace or str(row[0]).startswith(f"{namespace}/")]
