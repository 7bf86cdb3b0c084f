"""A sentence for each reason and finding code that rules derive, for reports and for status conditions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from liqo_connectivity.engine import Value
from liqo_connectivity.facts import one_line

_SHOWN: Final = 10
"""The most lines of one code in a report."""
_DETAILS: Final = 3
"""How many details of one cause a sentence holds."""
_NAMED: Final = 3
"""The most objects that are named in one line."""

REASONS: Final[Mapping[str, str]] = {
    "NetworkNotReady": "IPAM has not assigned its CIDR yet",
    "NetworkTerminating": "its CIDR is about to change",
    "NetworkMissing": "no Network exists for a CIDR that it names",
    "NoRemoteNetwork": "the peering has no pod CIDR",
    "NoLocalNetwork": "this cluster has no pod CIDR",
    "LocalNetworkNotReady": "IPAM has not assigned its CIDR yet",
    "InvalidCIDR": "Liqo would never assign this CIDR",
    "CIDROverlap": "its CIDR overlaps another",
    "NamespaceTerminating": "nothing can be created in it any more",
    "ObjectUnreadable": "it could not be read",
    "KindAbsent": "it has no object of a kind that decides; add them, or pass --assume-complete if the cluster has none",
    "InvalidMember": "an added rule derives a member that is neither an address as facts write it nor, for member_cidr, a CIDR",
    "MemberUnknown": "it may bring members, and whether it does is not known",
    "OffloadingUnknown": "it is not known whether its clusterSelector selects a cluster",
    "UnsupportedLiqo": "the installed Liqo lacks what chains need, as does every release up to v1.2.0",
    "InvalidPolicy": "a rule or a field of the policy is invalid",
    "NotEnforceable": "Liqo's agents cannot match all that it says, so the last enforced chain stays",
    "PortNotGiven": "its rules tell ports apart, and the port is not known",
    "IPv6NotEnforced": "the chains filter IPv4 only",
    "TooLarge": "its chain is more than Liqo's agent or the kernel can take, so the last enforced one stays",
    "Conflict": "another policy governs this peering",
    "TenantConflict": "several namespaces claim to be a cluster's tenant namespace, so no policy of theirs governs",
    "EmptyGroup": "the group has no members",
    "EndpointUnknown": "its address is not known",
    "ServiceUnresolved": "nodes rewrite its addresses before a chain sees the packet, and its endpoints are not known",
    "NodePort": "a node rewrites its node port, and chains see the address of a node in place of the sender's",
    "HostDestination": "packets to its own processes pass its input hook, where no chain filters",
    "ClusterIDExtractionFailed": "a policy belongs in the tenant namespace of a peering, liqo-tenant-<cluster id>",
}
"""What each reason of a pending policy or of an unknown verdict means."""

FINDINGS: Final[Mapping[str, str]] = {
    "StaleAddress": "the address is outside its cluster's current CIDRs, so it is in no set",
    "AddressOfAnotherPeering": "the stale address now lies in a CIDR of another peering",
    "ForgedShadowLabel": "it carries liqo.io/shadowPod on a physical node: treated as a local pod",
    "ForgedOriginLabel": "it carries offloading.liqo.io/origin outside that cluster's namespaces: not counted as offloaded",
    "NodeUnknown": "whether it is a physical or a virtual node is not known",
    "NodeContradicted": "its labels and a VirtualNode of its name do not agree about its cluster: VirtualNodes in tenant namespaces decide",
    "VirtualNodeIgnored": "it is not in the tenant namespace of its cluster, where Liqo creates VirtualNodes",
    "TenantNamespaceIgnored": "it has a tenant namespace's labels, but Liqo keeps this cluster's objects in another one",
    "IPv6NotEnforced": REASONS["IPv6NotEnforced"],
    "IPv6Member": "an added rule gives one of its groups an IPv6 member, and the chains match IPv4 only",
    "NetworkIgnored": "it is not in the tenant namespace of the cluster that its label names: ignored",
    "OffloadingContradicted": "the status of its NamespaceOffloading contradicts its clusterSelector, which decides",
    "NotMapped": "it has a NamespaceOffloading, but no cluster is selected: its pods are not in vc-local",
    "MappingNotAccepted": "it is offloaded, but the phase of its entry in the NamespaceMap is not Accepted",
    "OffloadingNotConfirmed": "it is offloaded to a cluster whose NamespaceMap does not confirm it",
    "MapNotRequired": "the remote cluster claims a namespace that is not offloaded to it: ignored",
    "MapOfAnotherCluster": "its label names another cluster than its tenant namespace belongs to: ignored",
    "MapEntryIgnored": "an entry is not one that Liqo writes",
    "RoleMismatch": "the role of the remote cluster leaves this group empty",
    "NamespaceUnknown": "it names a namespace that this cluster does not have, so the party matches nothing",
    "NamespaceIsRemote": "it names a namespace as a remote cluster calls it; this is its name here",
    "NothingSelected": "no live Pod is what this party selects, so it matches nothing",
    "EmptyGroup": REASONS["EmptyGroup"],
    "CIDROfPods": "it names a CIDR that has addresses of pods; a group follows them when they change",
    "NamespaceWithoutPods": "it names a namespace that has no pods, so the party matches nothing",
}
"""What each finding means; findings about a peering's CIDRs share the reasons above."""

BLIND_SPOTS: Final[Mapping[str, str]] = {
    "HostDestination": REASONS["HostDestination"],
    "HostNetwork": "it has its node's address, so it is in no group",
    "NodePort": "anyone who uses its node port on another node reaches the endpoint with that node's address as source",
    "SecondFamily": "its IPv6 address is not filtered",
    "OtherInterface": "its further network interface is not filtered",
    "PodOutsideCIDR": "its address is outside this cluster's pod CIDRs, so it is not in local-cluster",
    "NodeInPodCIDR": "its address is in this cluster's pod CIDRs, so a rule for local-cluster also matches the node itself",
    "HostSource": "it may send with another of its addresses, such as that of its bridge",
    "ServicesUnknown": "no Service is in the input, and the node port of one would hide the sender's address",
    "NoAddress": "it has no address yet, and no rule matches its packets until the chains have it",
    "NewAddress": "connections from before the chains had its address stay open",
    "ReplacingChain": "an edit is under way, and a chain of the policy before it may still drop the flow",
    "NotApplied": "whether every node has applied its chain is not in the input",
}
"""What each blind spot of the data path means, the most surprising first; docs/limits.md says what closes it."""


def sentence(reason: object, kind: object, found: object, detail: object) -> str:
    """Describe a reason or finding: ``Reason: Kind name: what it means (detail)``."""
    return _sentence(REASONS.get(str(reason)) or FINDINGS.get(str(reason), ""), reason, kind, found, detail)


def blind_spot_sentences(rows: Iterable[Sequence[object]]) -> list[str]:
    """Describe blind spots (code, kind, object, detail): one line for each code and kind, the most surprising first."""
    codes = list(BLIND_SPOTS)
    objects: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for code, kind, found, detail in sorted(rows, key=lambda row: (codes.index(str(row[0])), *map(str, row[1:]))):
        objects.setdefault((str(code), str(kind)), {}).setdefault(str(found), {})[str(detail)] = None
    return [
        _sentence(BLIND_SPOTS[code], code, kind, _few(named), _few([d for details in named.values() for d in details]))
        for (code, kind), named in objects.items()
    ]


def _few(texts: Iterable[str]) -> str:
    """Join the first few texts and count the rest."""
    texts = list(dict.fromkeys(texts))
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more


def _sentence(text: str, reason: object, kind: object, found: object, detail: object) -> str:
    subject = f"{kind} {found}".strip() or "the input"
    # Tenants write labels and files: their text must not forge a line of a report.
    return one_line(f"{reason}: {subject}: {text} ({detail})" if text else f"{reason}: {subject}: {detail}")


def by_cause(reasons: Iterable[tuple[object, object, object, object]]) -> list[tuple[tuple[object, ...], str]]:
    """Write reasons as sentences: one for each reason, kind and name, given with it, with the first of its details."""
    details: dict[tuple[object, object, object], dict[str, None]] = {}
    for reason, kind, found, detail in reasons:
        details.setdefault((reason, kind, found), {})[str(detail)] = None
    return [
        # There are few kinds, and to add what is missing, the reader has to know each.
        (cause, sentence(*cause, "; ".join(given) if cause[0] == "KindAbsent" else _first(list(given))))
        for cause, given in details.items()
    ]


def _first(details: list[str]) -> str:
    """Join the first details and count the rest: a remote cluster may have made thousands."""
    rest = len(details) - _DETAILS
    return "; ".join([*details[:_DETAILS], *([f"and {rest} more"] if rest > 0 else [])])


def sentences(reasons: Iterable[tuple[object, object, object, object]]) -> list[str]:
    """Write reasons as sentences, one for each cause."""
    return [line for _, line in by_cause(reasons)]


def folded(lines: Iterable[str]) -> list[str]:
    """Keep the first few lines of each code (``Code: …``) and count the rest: a cluster may have thousands of Pods."""
    by_code: dict[str, list[str]] = {}
    for line in lines:
        by_code.setdefault(line.partition(": ")[0], []).append(line)
    shown: list[str] = []
    for code, own in by_code.items():
        shown += own if len(own) <= _SHOWN else [*own[: _SHOWN - 1], f"{code}: and {len(own) - _SHOWN + 1} more"]
    return shown


def in_namespace(rows: Iterable[tuple[Value, ...]], namespace: str) -> list[tuple[Value, ...]]:
    """Keep the rows whose first column, ``namespace/name``, is in a namespace; all rows if it is empty."""
    return [row for row in rows if not namespace or str(row[0]).startswith(f"{namespace}/")]
