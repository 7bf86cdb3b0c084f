"""Which addresses belong to which group, party and scope, in plain Python, from the cluster's description.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from functools import cached_property
from ipaddress import ip_network

from tests.support.addresses import Address, Cidr, Members, canonical_cidr, parsed, union, usable_cidr
from tests.support.descriptions import Offloading, Party, Pod, Selector
from tests.support.membership import Membership
from tests.support.node_selectors import is_readable, is_selected, may_match

PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
GLOBAL = tuple(map(ip_network, ("0.0.0.0/0", "2000::/3", "64:ff9b::/96")))
"""Where addresses of the internet may be: all of IPv4, global unicast addresses (RFC 4291) and NAT64 (RFC 6052)."""
NOT_GLOBAL = tuple(map(ip_network, ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""Where they are not (RFC 6890), beside the private addresses."""
POD_GROUPS = ("offloaded", "vc-local", "vc-remote")
GROUPS = (*POD_GROUPS, "local-cluster", "remote-cluster", "private-subnets", "internet", "nameserver")


class Groups(Membership):
    """The groups, parties and scopes of a cluster's peerings."""

    # ---- Groups and scope ----

    def _mapped(self, peering: str) -> set[str]:
        """The namespaces that this cluster offloads to a peering: those that select one of its virtual nodes."""
        return {o.namespace for o in self.cluster.offloadings if not o.terminating and self._selects(o, peering)}

    def _selects(self, offloading: Offloading, peering: str) -> bool:
        nodes = [name for name, clusters in self._virtual.items() if peering in clusters]
        known = {name: self._labels(name, peering) for name in nodes}
        return bool(nodes) and is_selected(offloading.terms, known)

    def _labels(self, name: str, peering: str) -> dict[str, str]:
        """The labels of a virtual node; which cluster it is, its own labels do not say."""
        nodes = [node for node in self.cluster.nodes if node.name == name]
        placed = [n for n in self.cluster.virtual_nodes if n.name == name and n.cluster == peering]
        made = [n.labels for n in nodes] or [n.labels for n in placed if self.tenants.get(n.namespace) == peering]
        labels = {key: value for found in made for key, value in found}
        kind = {"liqo.io/type": "virtual-node"} if any(node.virtual for node in nodes) else {}
        return labels | kind | {"liqo.io/remote-cluster-id": peering}

    def _maybe_mapped(self, peering: str) -> set[str]:
        """The namespaces of which it is not known whether they are offloaded to a peering."""
        if peering not in self._maybe_mapped_found:
            self._maybe_mapped_found[peering] = self._doubtful(peering)
        return self._maybe_mapped_found[peering]

    @cached_property
    def _maybe_mapped_found(self) -> dict[str, set[str]]:
        return {}

    def _doubtful(self, peering: str) -> set[str]:
        if not self.may_be_provider(peering):
            return set()
        found = [o for o in self.cluster.offloadings if not o.terminating]
        doubtful = {o.namespace for o in found if not all(map(is_readable, o.terms))}
        if self._unplaced:
            # Of a node that is not known, only the cluster would be: the one in question.
            doubtful |= {o.namespace for o in found if not o.terms or any(may_match(t, peering) for t in o.terms)}
        return doubtful - self._mapped(peering)

    def may_be_provider(self, peering: str) -> bool:
        """Whether a peering has a virtual node, or may have because a node is not known."""
        return peering in self._providers or bool(self._unplaced)

    def _offloaded_namespaces(self, peering: str) -> set[str]:
        """The namespaces that Liqo made for a peering: labelled as such, or annotated with a map of its tenant's."""
        labelled = {n.name for n in self.cluster.namespaces if n.cluster == peering and not n.tenant}
        managed = {n.name: n.managed_by.split("/")[0] for n in self.cluster.namespaces if n.managed_by}
        return labelled | {name for name, tenant in managed.items() if self.tenants.get(tenant) == peering}

    @cached_property
    def groups(self) -> dict[str, dict[str, Members]]:
        return {peering: self._groups_of(peering) for peering in self.peerings}

    def _groups_of(self, peering: str) -> dict[str, Members]:
        found = {
            group: Members(union(addresses for _, addresses in self._group_pods(peering, group)))
            for group in POD_GROUPS
        }
        dns = (s.addresses for s in self.cluster.slices if s.namespace == "kube-system" and s.dns)
        return found | {
            "local-cluster": Members(cidrs=tuple(self._local_cidrs)),
            "remote-cluster": Members(cidrs=tuple(self._sound_cidrs[peering])),
            "private-subnets": Members(cidrs=PRIVATE),
            "internet": Members(cidrs=GLOBAL, holes=(*PRIVATE, *NOT_GLOBAL, *self._clusters_cidrs)),
            "nameserver": Members(frozenset(parsed(address) for addresses in dns for address in addresses)),
        }

    def _group_pods(self, peering: str, group: str) -> list[tuple[Pod, set[Address]]]:
        """The pods of a group, and the addresses with which they are in it."""
        if group == "offloaded":
            made = self._offloaded_namespaces(peering)
            guests = (pod for pod in self._readable if pod.origin == peering and pod.namespace in made)
            return [(pod, self._live(pod)) for pod in guests]
        if group == "vc-local":
            mapped = self._mapped(peering)
            return [(pod, self._local(pod)) for pod in self._readable if pod.namespace in mapped]
        return [(pod, self._shadow(pod, peering)) for pod in self._readable if group == "vc-remote"]

    @cached_property
    def _clusters_cidrs(self) -> list[Cidr]:
        """All CIDRs of this cluster and of remote ones; what IPAM has not assigned to this cluster yet, it asked for."""
        written = [network.status for network in self.cluster.networks]
        written += [network.spec for network in self.cluster.networks if network.cluster is None]
        return [cidr for cidr in map(usable_cidr, written) if cidr]

    @cached_property
    def _namespaces(self) -> dict[str, Members]:
        names = {pod.namespace for pod in self._readable}
        return {n: Members(union(self._live(pod) for pod in self._readable if pod.namespace == n)) for n in names}

    def party(self, peering: str, party: Party) -> Members:
        """The addresses of a party of a peering's policy."""
        if (peering, party) not in self._parties_found:
            self._parties_found[peering, party] = self._party(peering, party)
        return self._parties_found[peering, party]

    @cached_property
    def _parties_found(self) -> dict[tuple[str, Party], Members]:
        return {}

    def _party(self, peering: str, party: Party) -> Members:
        if party.cidr is not None:
            whole, *holes = (canonical_cidr(written) for written in (party.cidr, *party.excepts))
            return Members(cidrs=tuple(filter(None, [whole])), holes=tuple(filter(None, holes)))
        if is_selection(party):
            if party.group is not None:
                pods = self._group_pods(peering, party.group)
            else:
                pods = [(pod, self._live(pod)) for pod in self._readable]
            return Members(union(addresses for pod, addresses in pods if self._selects_pod(party, pod)))
        if party.group is not None:
            return self.groups[peering].get(party.group, Members())
        return self._namespaces.get(str(party.namespace), Members())

    # ---- Selections ----

    @cached_property
    def _namespace_labels(self) -> dict[str, dict[str, str]]:
        return {namespace.name: dict(namespace.labels) for namespace in self.cluster.namespaces}

    def _selects_namespace(self, party: Party, namespace: str) -> bool:
        """Whether a party takes Pods of a namespace. The labels of one that is not known are not known either."""
        if party.namespaces is not None:
            labels = self._namespace_labels.get(namespace)
            return labels is not None and has_labels(party.namespaces, labels)
        return party.namespace in (None, namespace)

    def _selects_pod(self, party: Party, pod: Pod) -> bool:
        """Whether a party takes a Pod, by its namespace and its labels."""
        labelled = party.pods is None or has_labels(party.pods, dict(pod.labels))
        return labelled and self._selects_namespace(party, pod.namespace)

    def _parties(self, peering: str) -> list[Party]:
        return [p for rule in self.governing[peering].rules for p in (rule.source, rule.destination) if p]

    def _selections(self, peering: str) -> list[Party]:
        """The selections without a group: what they take is in the scope."""
        return [party for party in self._parties(peering) if is_selection(party) and party.group is None]

    def _takes(self, peering: str, pod: Pod) -> bool:
        return any(self._selects_pod(party, pod) for party in self._selections(peering))

    def _selecting(self, peering: str) -> set[str]:
        """The namespaces of which the policy of a peering takes some Pods."""
        names = {pod.namespace for pod in self.cluster.pods}
        return {n for n in names if any(self._selects_namespace(party, n) for party in self._selections(peering))}

    def _named(self, peering: str) -> set[str]:
        found = (party for party in self._parties(peering) if not is_selection(party))
        return {party.namespace for party in found if party.namespace is not None}

    @cached_property
    def scope(self) -> dict[str, Members]:
        found: dict[str, Members] = {}
        for peering in self.governing:
            owned = [self.groups[peering][group].addresses for group in POD_GROUPS]
            named = [self._namespaces.get(name, Members()).addresses for name in self._named(peering)]
            taken = [self.party(peering, party).addresses for party in self._selections(peering)]
            found[peering] = Members(union([*owned, *named, *taken]), tuple(self._sound_cidrs[peering]))
        return found


def is_selection(party: Party) -> bool:
    """Whether a party takes Pods by more than one word: by labels, or those of a group in a namespace."""
    return (
        party.namespaces is not None
        or party.pods is not None
        or (party.group is not None and party.namespace is not None)
    )


def has_labels(selector: Selector, labels: dict[str, str]) -> bool:
    """Whether labels meet a selector, as the API of Kubernetes defines it."""
    equal = all(labels.get(key) == value for key, value in selector.equal)
    for each in selector.expressions:
        value = labels.get(each.key)
        met = {
            "In": value is not None and value in each.values,
            "NotIn": value is None or value not in each.values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        equal = equal and met.get(each.operator, False)
    return equal
