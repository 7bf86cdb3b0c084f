"""What Liqo's agent and a kernel can hold: the rules and this room count alike, what fits loads, and what does not is pending."""

import json
from pathlib import Path
from random import Random

import pytest

from liqo_connectivity import chains
from liqo_connectivity.chains import batch_size, limits
from liqo_connectivity.engine import evaluate
from liqo_connectivity.operator.cli import run
from liqo_connectivity.rules.program import load
from tests.support import netlink_agent, nft
from tests.support.clusters import RENDERED, VERDICTS, base_of, facts_with, questions, solve, tables, verdicts
from tests.support.descriptions import Cluster, Party, Rule
from tests.support.fitting import fit, fit_of
from tests.support.large_clusters import large, random_large, tangled
from tests.support.manifests import Object, objects
from tests.support.seeds import SEEDS

REMOTE, ANY = Party("remote-cluster"), None
CLUSTERS = 200 if SEEDS == "all" else 14
REFUSED = (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1)
"""Which of the first policies are too large, so that it is known that there are some of either kind."""


def allowed(namespaces: int, source: Party | None = REMOTE, last: Party | None = REMOTE) -> list[Rule]:
    """A policy that allows a source into namespaces, each by a rule, and then denies."""
    rules = [Rule("allow", source, Party(namespace=f"ns{number}")) for number in range(namespaces)]
    return [*rules, Rule("deny", last, ANY)]


def reasons(described: Cluster) -> list[tuple[str, str]]:
    model = solve(base_of(objects(described)), ("pending",))
    return [(str(row[1]), str(row[4])) for row in model.rows("pending")]


def test_the_rules_and_the_room_have_the_same_limits() -> None:
    model = evaluate(load().slice(("limit", "batch_part")), {})
    assert {str(name): most for name, most in model.rows("limit")} == {
        "elements of a set": limits.MAX_SET_ELEMENTS,
        "rules of a chain": limits.MAX_CHAIN_RULES,
        "bytes of a batch": limits.MAX_BATCH_BYTES,
        "remote CIDRs of a guard": limits.MAX_GUARD_CIDRS,
        "remote CIDRs of parts": limits.MAX_PARTS_CIDRS,
    }
    assert {str(name): size for name, size in model.rows("batch_part")} == {
        "table and chain": batch_size.TABLE_AND_CHAIN,
        "further chain": batch_size.CHAIN,
        "rule": batch_size.RULE,
        "match of states": batch_size.STATE_MATCH,
        "match of a CIDR": batch_size.CIDR_MATCH,
        "match of a range of addresses": batch_size.RANGE_OF_ADDRESSES,
        "match of a set": batch_size.SET_MATCH,
        "match of a protocol": batch_size.PROTOCOL_MATCH,
        "match of a port": batch_size.PORT_MATCH,
        "match of a range": batch_size.RANGE_MATCH,
        "set": batch_size.SET,
        "element": batch_size.ELEMENT,
    }


LARGE = {
    "200 namespaces": large(allowed(200), 200),
    "60 CIDRs": large(allowed(1), 1, cidrs=60),
    "200 namespaces and 60 CIDRs": large(allowed(200, Party("vc-remote"), ANY), 200, cidrs=60),
    "a deny of everything": large([Rule("deny", ANY, ANY)], 200, cidrs=200),
    "private subnets": large([Rule("deny", Party("private-subnets"), Party("private-subnets"))], 3, cidrs=60),
    "many local CIDRs": large([Rule("deny", Party("local-cluster"), Party("private-subnets"))], 3, cidrs=60, local=4),
    "300 rules": large([Rule("deny", Party("offloaded"), REMOTE)] * 300, 1),
    "10,000 pods": large([Rule("allow", Party("vc-remote"), ANY)], 1, pods=10_000, cidrs=60),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_large_loads(name: str) -> None:
    found = fit(LARGE[name])
    assert found.wrong == ()
    assert (found.loaded, found.refused) == (1, 0)


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_any_policy_loads_or_is_pending(seed: int) -> None:
    found = fit(random_large(Random(seed)))
    assert found.wrong == ()
    assert found.loaded + found.refused == 1
    assert seed >= len(REFUSED) or found.refused == REFUSED[seed]


PORT_CLUSTERS = 60 if SEEDS == "all" else 10
REFUSED_WITH_PORTS = (0, 1, 1, 0, 1, 0, 1, 0, 1, 1)


def with_ports(described: Cluster, rng: Random) -> list[Object]:
    """The objects of a cluster, its policy with ports in some rules and perhaps a default that denies."""
    found = objects(described)
    (policy,) = (item for item in found if item["kind"] == "PeeringConnectivity")
    for rule in policy["spec"]["rules"]:
        if rng.random() < 0.5:
            rule["ports"] = [_port(rng) for _ in range(rng.choice((1, 2, 3, 30)))]
    if rng.random() < 0.5:
        policy["spec"]["defaultAction"] = "deny"
    return found


def _port(rng: Random) -> Object:
    entry: Object = {"protocol": rng.choice(("TCP", "UDP"))}
    if rng.random() < 0.9:
        entry["port"] = rng.randint(1, 60_000)
        if rng.random() < 0.5:
            entry["endPort"] = entry["port"] + rng.choice((0, 1, 5_000))
    return entry


@pytest.mark.parametrize("seed", range(PORT_CLUSTERS))
def test_any_policy_with_ports_loads_or_is_pending(seed: int) -> None:
    rng = Random(40_000 + seed)
    found = fit_of(base_of(with_ports(random_large(rng), rng)))
    assert found.wrong == ()
    assert found.loaded + found.refused == 1
    assert seed >= len(REFUSED_WITH_PORTS) or found.refused == REFUSED_WITH_PORTS[seed]


# ---- At the limit, and above ----


def test_one_rule_above_the_limit_is_pending_and_named() -> None:
    def with_rules(cidrs: int) -> Cluster:
        # One rule is built in, and rules without matches are the smallest.
        return large([*[Rule("allow", ANY, ANY)] * 990, Rule("deny", REMOTE, ANY)], 1, cidrs=cidrs, peering="m")

    found = fit(with_rules(9))
    assert (found.wrong, found.loaded) == ((), 1)
    assert reasons(with_rules(10)) == [
        (
            "TooLarge",
            "up to /spec/rules/990: 1001 rules of nftables, and 1000 fit: use fewer rules, ports or CIDRs",
        )
    ]


def derived_bytes(described: Cluster) -> int:
    ((_, size),) = solve(base_of(objects(described)), ("batch_bytes",)).rows("batch_bytes")
    return int(size)


def test_one_namespace_above_the_limit_is_pending() -> None:
    def with_namespaces(count: int) -> Cluster:
        return large(allowed(count), count)

    less, more = derived_bytes(with_namespaces(200)), derived_bytes(with_namespaces(201))
    most = 200 + (limits.MAX_BATCH_BYTES - less) // (more - less)
    found = fit(with_namespaces(most))
    assert (found.wrong, found.loaded) == ((), 1)
    ((reason, detail),) = reasons(with_namespaces(most + 1))
    assert reason == "TooLarge"
    assert detail.partition(": ")[2].startswith("214 kB in one netlink batch, and 212 fit: use fewer rules")


def test_one_element_above_the_limit_is_pending() -> None:
    def with_pods(count: int) -> Cluster:
        return large([Rule("deny", Party("vc-remote"), ANY)], 1, pods=count, cidrs=13)

    most = 13_000 + (limits.MAX_BATCH_BYTES - derived_bytes(with_pods(13_000))) // batch_size.ELEMENT
    found = fit(with_pods(most))
    assert (found.wrong, found.loaded) == ((), 1)
    assert reasons(with_pods(most + 1)) == [
        (
            "TooLarge",
            "with all elements: 213 kB in one netlink batch, and 212 fit: use fewer rules, or rules for fewer pods",
        )
    ]


def test_numbers_stay_within_32_bits() -> None:
    group = 'member_cidr(P, "huge", C) :- peering(P), network_cidr_type(N, "pod"), network_cluster(N, P), name_cidr(N, C).\n'
    group += ".decl name_cidr(network: Network, cidr: Cidr)\n.input name_cidr\n"
    program = load({"huge.dl": group}).slice(("pending", "rules_before"))
    huge = [f"10.{one}.{two}.0/24" for one in range(150) for two in range(256)]
    for count in (5_000, 31_000):
        described = large([Rule("deny", Party("huge"), Party("huge"))], 1)
        facts = facts_with(base_of(objects(described)), ())
        facts["name_cidr"] = [("liqo-tenant-milan/pod-0", cidr) for cidr in huge[:count]]
        model = evaluate(program, facts)
        assert [row[1] for row in model.rows("pending")] == ["TooLarge"]


# ---- What is said about a policy that does not fit ----


def test_only_flows_that_it_governs_are_unknown() -> None:
    described = large(tangled(300), 300, cidrs=60)
    asked = [
        ("10.64.0.9", "10.8.0.3", "new"),
        ("10.8.0.3", "10.64.0.9", "new"),
        ("10.8.0.3", "10.8.0.4", "new"),
        ("10.8.200.1", "10.8.200.2", "new"),
        ("172.18.0.11", "10.96.0.10", "new"),
    ]
    model = solve(base_of(objects(described)), (*VERDICTS, *RENDERED), questions(asked))
    assert verdicts(model) == ["unknown", "unknown", "unknown", "allowed", "allowed"]
    assert {row[1] for row in model.rows("unknown_because")} == {"TooLarge"}
    assert tables(model) == ()


def test_every_command_says_that_it_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private = Party("private-subnets")
    items = objects(large([Rule("deny", private, private)], 1, cidrs=600))
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    said = (
        "PeeringConnectivity liqo-tenant-milan/policy: its chain is more than Liqo's agent or the kernel can take, so the "
        "last enforced one stays (up to /spec/rules/0: 1804 rules of nftables, and 1000 fit: use fewer rules, ports "
        "or CIDRs)"
    )
    assert run(["render", "-f", str(file)]) == 3
    found = capsys.readouterr()
    assert found.out == ""
    assert f"TooLarge: {said}" in found.err
    assert run(["check", "-f", str(file)]) == 1
    assert (
        f"error: PeeringConnectivity liqo-tenant-milan/policy is pending: TooLarge: {said}" in capsys.readouterr().out
    )
    assert run(["why", "ip:10.64.0.9", "ip:10.8.0.1", "-f", str(file)]) == 3
    assert "TooLarge" in capsys.readouterr().out
    assert run(["why", "ip:172.18.0.11", "ip:10.8.0.9", "-f", str(file)]) == 0


def spec_of(described: Cluster) -> dict[str, object]:
    model = solve(base_of(objects(described)), RENDERED)
    found: dict[str, object] = json.loads(chains.firewall_json(tables(model)))["items"][0]["spec"]
    return found


def test_the_agent_never_leaves_a_part_of_a_chain_that_is_written() -> None:
    specs = [spec_of(large(allowed(count, source, last), 200, cidrs=60)) for count, source, last in (
        (1, REMOTE, REMOTE),
        (26, Party("vc-remote"), REMOTE),
        (27, Party("vc-remote"), ANY),
        (200, Party("vc-remote"), ANY),
        (3, REMOTE, ANY),
    )]  # fmt: skip
    for spec, outcome in zip(specs, netlink_agent.applied(specs), strict=True):
        assert outcome["errors"] == ["", ""]
        rules = spec["table"]["chains"][0]["rules"]["filterRules"]  # type: ignore[index]  # JSON
        assert [rule["comment"] for rule in nft.objects(outcome["listing"], "rule")] == [rule["name"] for rule in rules]


@pytest.mark.parametrize("kind", ["expressions", "bytes"])
def test_a_rule_that_grows_with_the_scope_leaves_the_node_without_the_others(kind: str) -> None:
    """The agent of the tests fails as the real one does, where rules above a limit reach it."""
    before = spec_of(large(allowed(2), 3))
    table = json.loads(json.dumps(before))["table"]
    first, *others = table["chains"][0]["rules"]["filterRules"]
    if kind == "expressions":
        match = [{"op": "neq", "ip": {"value": f"10.{number}.0.0/16", "position": "src"}} for number in range(43)]
        added = [{**first, "name": "r001-outside", "match": match}]
    else:
        added = [{**others[0], "name": f"r{number:03}-more"} for number in range(900)]
    for rule in others:
        rule["name"] += "-renamed"
    table["chains"][0]["rules"]["filterRules"] = [first, *added, *others]
    outcome = netlink_agent.applied([before, {"table": table}])[1]
    assert outcome["errors"] == ["", "errno 90" if kind == "bytes" else "OSError 22"]
    (left,) = nft.objects(outcome["listing"], "rule")
    assert left["comment"] == first["name"]


def test_a_change_of_too_many_elements_at_once_leaves_the_chain_and_its_sets_as_they_were() -> None:
    """What docs/semantics.md says of the limit that is not checked."""

    def with_pods(count: int) -> Cluster:
        return large([Rule("deny", Party("vc-remote"), ANY)], 1, pods=count, cidrs=13)

    for before, after, error in ((6_500, 6_501, ""), (6_800, 6_801, "errno 90")):
        specs = [spec_of(with_pods(before)), spec_of(with_pods(after))]
        for spec in specs:
            # Both sets of the group change with the lowest address.
            sets = spec["table"]["sets"]  # type: ignore[index]  # JSON
            assert len(sets) == 2
        specs[1]["table"]["sets"][0]["elements"].pop(0)  # type: ignore[index]  # JSON
        first, second = netlink_agent.applied(specs)
        assert first["errors"] == ["", ""]
        assert second["errors"] == [error, ""]
        kept = {held["name"]: len(held["elem"]) for held in nft.objects(second["listing"], "set")}
        assert sum(kept.values()) == (before if error else after - 1)
        assert len(nft.objects(second["listing"], "rule")) == 3


def test_an_object_within_the_limits_is_far_below_what_etcd_takes() -> None:
    for described in (
        large([Rule("deny", Party("vc-remote"), ANY)], 1, pods=13_000, cidrs=13),
        large(allowed(320), 320),
        large(allowed(1, last=ANY), 1, cidrs=195),
    ):
        (table,) = tables(solve(base_of(objects(described)), RENDERED))
        assert batch_size.batch_bytes(table) > 0.9 * limits.MAX_BATCH_BYTES
        assert len(json.dumps(chains.firewall_object(table))) < 0.5 * 1.5 * 2**20
