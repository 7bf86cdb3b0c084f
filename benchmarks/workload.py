"""Clusters of any size, as facts and as events: one for the synthetic program, one for the policy program.

Every pod has the same share of oddities whatever the size, so that figures at two sizes can be compared. A seed names a
cluster. Facts share strings, as those from one decoder do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from liqo_connectivity.engine import Program, Row
from liqo_connectivity.operator.controller.state.state import GOALS
from liqo_connectivity.rules.program import load as load_policy

Facts = dict[str, list[Row]]
Event = list[tuple[str, Row, bool]]
"""Requests of one transaction: relation, row, whether it is to be there."""

PEERS = tuple(f"peer-{number}" for number in range(10))
GROUPS = tuple(f"group-{number}" for number in range(60))
WORKERS = tuple(f"worker-{number}" for number in range(20))
LABELS = {"app": [f"app-{number}" for number in range(60)], "tier": ["front", "back", "data"]}
"""The values of the labels that selectors of the policy program name."""
TRIES = 1000
"""How many pods are looked at for one that a change fits."""
KINDS = ("add", "delete", "relabel", "phase", "address")


@dataclass(frozen=True, slots=True)
class Workload:
    """A program, the facts of a cluster, pod events, and wide events: each with the one that takes it back.

    ``pods`` holds what asserts each pod that there is, and follows the events. ``asked`` are relations whose rows are
    asked for a proof.
    """

    name: str
    program: Program
    facts: Facts
    pods: Mapping[str, Event]
    events: Callable[[int], Iterator[tuple[str, Event]]]
    wide: dict[str, tuple[Event, Event]]
    asked: tuple[str, ...]


def inverse(event: Event) -> Event:
    """Give the event that takes another back, if every request of that changed something."""
    return [(relation, row, not present) for relation, row, present in event]


def put(facts: Facts, event: Event) -> None:
    """Add what an event asserts to some facts."""
    for relation, row, _ in event:
        facts.setdefault(relation, []).append(row)


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def churn(
    rng: Random, pods: dict[str, Event], new_pod: Callable[[str], Event], change: Callable[[str, Event, bool], Event]
) -> Iterator[tuple[str, Event]]:
    """Give pod events without end: 30% add, 30% delete, the rest changes of a label, the phase or the address.

    ``change`` gives a change of some kind, or its opposite, or nothing for a pod that it does not fit. Both are equally
    likely, so that the share of pods in each state stays what it was, however few there are and however much happens.
    """
    names = list(pods)
    number = len(names)
    while True:
        kind = rng.choices(KINDS, (30, 30, 15, 15, 10))[0]
        if kind == "add":
            name = f"pod-{number}"
            number += 1
            pods[name] = new_pod(name)
            names.append(name)
            yield kind, pods[name]
            continue
        if kind == "delete":
            place = rng.randrange(len(names))
            name = names[place]
            names[place] = names[-1]
            names.pop()
            yield kind, inverse(pods.pop(name))
            continue
        opposite = rng.random() < 0.5
        tried = (rng.choice(names) for _ in range(TRIES))
        name, event = next(((n, found) for n in tried if (found := change(kind, pods[n], opposite))), ("", []))
        if not event:
            continue
        gone = {(relation, row) for relation, row, present in event if not present}
        pods[name] = [request for request in pods[name] if request[:2] not in gone]
        pods[name] += [request for request in event if request[2]]
        yield kind, event


# ---- The synthetic program ----


def synthetic(pods: int, seed: int = 1) -> Workload:
    """10 peers, a namespace for each 100 pods (10% offloaded), 60 groups that import each other, 100 firewall rules."""
    rng = Random(seed)
    program = Program.parse({"synthetic.dl": Path(__file__).with_name("synthetic.dl").read_text("utf-8")})
    namespaces = [f"ns-{number}" for number in range(max(20, pods // 100))]
    offloaded = namespaces[::10]
    nodes = [f"virtual-{peer}" for peer in PEERS]
    facts: Facts = {
        "peer": [(peer,) for peer in PEERS],
        "namespace": [(name,) for name in namespaces],
        "offloaded": [(name,) for name in offloaded],
        "worker": [(name,) for name in WORKERS],
        "virtual_node": [(f"virtual-{peer}", peer) for peer in PEERS],
        "imports": [
            *((GROUPS[n], GROUPS[n + 1]) for n in range(59) if n % 5 != 4),
            *((GROUPS[n + 4], GROUPS[n]) for n in (0, 20, 40)),
        ],
        "firewall": [
            (peer, priority, rng.choice(GROUPS), rng.choice(("allow", "deny")))
            for peer in PEERS
            for priority in range(10)
        ],
    }
    tiers = ("front", "back", "data")

    def new_pod(name: str) -> Event:
        number = int(name[4:])
        found: Event = [
            ("pod_ns", (name, rng.choice(namespaces)), True),
            ("pod_ip", (name, address(number)), True),
            ("label", (name, "app", rng.choice(GROUPS)), True),
            ("label", (name, "tier", rng.choice(tiers)), True),
        ]
        if rng.random() < 0.98:
            found.append(("running", (name,), True))
        if rng.random() < 0.05:
            found.append(("host_network", (name,), True))
        place = rng.randrange(3)
        if place == 0:
            found.append(("origin", (name, rng.choice(PEERS)), True))
        elif place == 1:
            found += [("shadow", (name,), True), ("node", (name, rng.choice(nodes)), True)]
        else:
            found.append(("node", (name, rng.choice(WORKERS)), True))
        return found

    def change(kind: str, held: Event, opposite: bool) -> Event:
        rows = {relation: row for relation, row, _ in held if relation != "label"}
        name = rows["pod_ns"][0]
        if kind == "relabel":
            old = next(row for relation, row, _ in held if relation == "label" and row[1] == "app")
            new = rng.choice([group for group in GROUPS if group != old[2]])
            return [("label", old, False), ("label", (name, "app", new), True)]
        if kind == "phase":
            return [("running", (name,), opposite)] if ("running" in rows) != opposite else []
        return [("pod_ip", rows["pod_ip"], False), ("pod_ip", (name, address(rng.randrange(1 << 24))), True)]

    held: dict[str, Event] = {}
    for number in range(pods):
        name = f"pod-{number}"
        held[name] = new_pod(name)
        put(facts, held[name])
    wide: dict[str, Event] = {
        "a namespace offloaded": [("offloaded", (namespaces[5],), True)],
        "a group imported": [("imports", (GROUPS[4], GROUPS[5]), True)],
        "a rule added": [("firewall", (PEERS[0], 100, GROUPS[3], "allow"), True)],
        "a peer added": [("peer", ("peer-new",), True), ("virtual_node", ("virtual-new", "peer-new"), True)],
    }
    return Workload(
        "synthetic",
        program,
        facts,
        held,
        lambda s: churn(Random(s), held, new_pod, change),
        {name: (event, inverse(event)) for name, event in wide.items()},
        ("verdict", "member", "allowed_ip"),
    )


# ---- The policy program ----


def policy(pods: int, seed: int = 1, peers: int = len(PEERS), rules: int = 10, fields: bool = False) -> Workload:
    """The same cluster as this project sees it: peerings with tenant namespaces, networks, maps, and policies.

    With ``fields``, the rules of the policies have ports, selectors, CIDRs and defaults besides, and pods have labels.
    """
    rng = Random(seed)
    more = Random(seed) if fields else None
    names = tuple(f"peer-{number}" for number in range(peers))
    namespaces = [f"ns-{number}" for number in range(max(20, pods // 100))]
    nodes = {peer: f"virtual-{peer}" for peer in names}
    foreign = {peer: f"from-{peer}" for peer in names}
    facts: Facts = {
        "namespace": [(name,) for name in namespaces],
        "node": [(name,) for name in WORKERS],
        "network": [("liqo/pod-cidr", "liqo")],
        "network_type": [("liqo/pod-cidr", "pod-cidr")],
        "network_status_cidr": [("liqo/pod-cidr", "10.0.0.0/9")],
        "namespace_offloading": [(name, "LocalAndRemote") for name in namespaces[::10]],
    }
    for number, peer in enumerate(names):
        put(facts, peering(rng, peer, number, namespaces[::10], foreign[peer], nodes[peer], rules, more))

    def new_pod(name: str) -> Event:
        number, place = int(name[4:]), rng.randrange(3)
        peer = rng.choice(names)
        namespace = foreign[peer] if place == 0 else rng.choice(namespaces)
        pod = f"{namespace}/{name}"
        found: Event = [("pod", (pod, namespace), True)]
        found.append(("pod_phase", (pod, "Running" if rng.random() < 0.98 else "Succeeded"), True))
        if rng.random() < 0.05:
            found.append(("pod_host_network", (pod,), True))
        if place == 0:
            found.append(("pod_origin", (pod, peer), True))
        if place == 1:
            found += [("pod_shadow", (pod,), True), ("pod_node", (pod, nodes[peer]), True)]
            found.append(("pod_ip", (pod, remote_address(peer, number)), True))
        else:
            found.append(("pod_node", (pod, rng.choice(WORKERS)), True))
            found.append(("pod_ip", (pod, address(number)), True))
        if more is not None:
            found += [("pod_label", (pod, key, more.choice(values)), True) for key, values in LABELS.items()]
        return found

    def change(kind: str, held: Event, opposite: bool) -> Event:
        rows = {relation: row for relation, row, _ in held}
        pod = rows["pod"][0]
        if kind == "relabel" and more is not None:
            old = next(row for relation, row, _ in held if relation == "pod_label")
            new_value = more.choice([value for value in LABELS[str(old[1])] if value != old[2]])
            return [("pod_label", old, False), ("pod_label", (pod, old[1], new_value), True)]
        if kind == "relabel":
            if ("pod_origin" in rows) != opposite:
                return []
            old = rows.get("pod_origin", (pod, rng.choice(names)))
            return [("pod_origin", old, not opposite)]
        if kind == "phase":
            new = "Running" if opposite else "Succeeded"
            if rows["pod_phase"][1] == new:
                return []
            return [("pod_phase", rows["pod_phase"], False), ("pod_phase", (pod, new), True)]
        number = rng.randrange(1 << 23)
        peer = next((peer for peer, node in nodes.items() if rows["pod_node"][1] == node), None)
        new = address(number) if peer is None else remote_address(peer, number)
        if new == rows["pod_ip"][1]:
            return []
        return [("pod_ip", rows["pod_ip"], False), ("pod_ip", (pod, new), True)]

    held: dict[str, Event] = {}
    for number in range(pods):
        name = f"pod-{number}"
        held[name] = new_pod(name)
        put(facts, held[name])
    tenant = f"liqo-tenant-{names[0]}"
    party = ("source", "destination")
    wide: dict[str, Event] = {
        "a namespace offloaded": [
            ("namespace_offloading", (namespaces[5], "LocalAndRemote"), True),
            *(
                ("namespace_map_entry", (f"liqo-tenant-{peer}/map", namespaces[5], "there", "Accepted"), True)
                for peer in names
            ),
        ],
        "a rule added": [
            ("policy_rule", (f"{tenant}/policy", 99), True),
            ("policy_action", (f"{tenant}/policy", 99, "deny"), True),
            *(("policy_party", (f"{tenant}/policy", 99, side), True) for side in party),
            *(("policy_party_namespace", (f"{tenant}/policy", 99, side, namespaces[6]), True) for side in party),
        ],
        "a peering added": peering(
            rng, "peer-new", peers, namespaces[::10], "from-peer-new", "virtual-peer-new", rules, more
        ),
    }
    return Workload(
        "policy",
        load_policy().slice(GOALS),
        facts,
        held,
        lambda s: churn(Random(s), held, new_pod, change),
        {name: (event, inverse(event)) for name, event in wide.items()},
        ("member", "chain_element"),
    )


def remote_address(peer: str, number: int) -> str:
    """An address of a peer's pods, as this cluster sees it."""
    return f"10.{128 + int(peer[5:])}.{number >> 8 & 255}.{number & 255}"


def peering(
    rng: Random, peer: str, number: int, mapped: list[str], foreign: str, node: str, rules: int, more: Random | None
) -> Event:
    """A peering with everything: it offloads ``foreign`` to us, we offload ``mapped`` to it, and some rules govern it.

    ``more`` draws the fields besides groups and actions, if the rules are to have any.
    """
    tenant = f"liqo-tenant-{peer}"
    network, policy, ours, theirs = (f"{tenant}/{name}" for name in ("network", "policy", "map", "their-map"))
    cidr = f"10.{128 + number}.0.0/16"
    rows: list[tuple[str, Row]] = [
        ("namespace", (tenant,)),
        ("namespace_cluster", (tenant, peer)),
        ("namespace_tenant", (tenant,)),
        ("namespace", (foreign,)),
        ("namespace_cluster", (foreign, peer)),
        ("foreign_cluster", (peer,)),
        ("foreign_cluster_role", (peer, "ConsumerAndProvider")),
        ("foreign_cluster_tenant", (peer, tenant)),
        ("virtual_node", (f"{tenant}/{node}", tenant, node, peer)),
        ("node", (node,)),
        ("node_virtual", (node,)),
        ("node_cluster", (node, peer)),
        ("network", (network, tenant)),
        ("network_cluster", (network, peer)),
        ("network_cidr_type", (network, "pod")),
        ("network_spec_cidr", (network, "10.244.0.0/16")),
        ("network_status_cidr", (network, cidr)),
        ("configuration", (f"{tenant}/configuration", tenant)),
        ("configuration_cluster", (f"{tenant}/configuration", peer)),
        ("configuration_remote_cidr", (f"{tenant}/configuration", "pod", "10.244.0.0/16")),
        ("namespace_map", (ours, tenant)),
        ("namespace_map_ours", (ours,)),
        *(row for name in mapped for row in offloading(name, peer, number)),
        *(("namespace_map_entry", (ours, name, f"{name}-there", "Accepted")) for name in mapped),
        ("namespace_map", (theirs, tenant)),
        ("namespace_map_entry", (theirs, "theirs", foreign, "Accepted")),
        ("policy", (policy, tenant)),
        ("policy_created", (policy, 1_750_000_000)),
    ]
    groups = ("local-cluster", "remote-cluster", "offloaded", "vc-local", "vc-remote", "private-subnets")
    if more is not None:
        rows.append(("policy_default", (policy, more.choice(("allow", "deny")))))
    for rule in range(rules):
        rows += [("policy_rule", (policy, rule)), ("policy_action", (policy, rule, rng.choice(("allow", "deny"))))]
        for side in ("source", "destination"):
            if rng.random() < 0.8:
                group = rng.choice(groups)
                rows += [("policy_party", (policy, rule, side)), ("policy_party_group", (policy, rule, side, group))]
                if more is not None and group in groups[2:5]:
                    rows += selected(more, policy, rule, side)
            elif more is not None:
                cidr = f"192.0.2.{more.randrange(64) * 4}/30"
                rows += [("policy_party", (policy, rule, side)), ("policy_party_cidr", (policy, rule, side, cidr))]
        rows += [] if more is None else ports(more, policy, rule)
    rows = list(dict.fromkeys(rows))
    return [(relation, row, True) for relation, row in rows]


def selected(more: Random, policy: str, rule: int, side: str) -> list[tuple[str, Row]]:
    """A selector of Pods, of one label or of two."""
    app, tiers = more.choice(LABELS["app"]), sorted(more.sample(LABELS["tier"], 2))
    found: dict[str, tuple[str, str, list[str]]] = {f"app={app}": ("app", "In", [app])}
    if more.random() < 0.5:
        found[f"tier notin ({','.join(tiers)})"] = ("tier", "NotIn", tiers)
    selector = ",".join(sorted(found))
    return [
        ("policy_party_pod_selector", (policy, rule, side, selector)),
        *(
            ("policy_requirement", (policy, selector, text, key, operator))
            for text, (key, operator, _) in found.items()
        ),
        *(
            ("policy_requirement_value", (policy, text, value))
            for text, (*_, values) in found.items()
            for value in values
        ),
    ]


def ports(more: Random, policy: str, rule: int) -> list[tuple[str, Row]]:
    """Two ports of a rule, or none: a single one and a range."""
    if more.random() < 0.5:
        return []
    port = more.randrange(1, 60_000)
    return [
        ("policy_rule_ports", (policy, rule)),
        *(("policy_port", (policy, rule, entry)) for entry in (0, 1)),
        *(("policy_port_protocol", (policy, rule, entry, ("TCP", "UDP")[entry])) for entry in (0, 1)),
        *(("policy_port_number", (policy, rule, entry, port)) for entry in (0, 1)),
        ("policy_port_end", (policy, rule, 1, port + 100)),
    ]


def offloading(namespace: str, peer: str, term: int) -> list[tuple[str, Row]]:
    """What offloads a namespace to a peer: a term of its selector for each."""
    key = "liqo.io/remote-cluster-id"
    return [
        ("namespace_offloading", (namespace, "LocalAndRemote")),
        ("namespace_offloading_term", (namespace, term)),
        ("namespace_offloading_requirement", (namespace, term, 0, "label", key, "In")),
        ("namespace_offloading_value", (namespace, term, 0, key, peer)),
    ]


WORKLOADS: Mapping[str, Callable[[int], Workload]] = {"synthetic": synthetic, "policy": policy}
