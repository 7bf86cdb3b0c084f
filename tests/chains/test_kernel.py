"""The rulesets as nft and the kernel take them: order, comments, elements, repetition, other tables, the large."""

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from liqo_connectivity.chains import (
    Chain,
    ChainError,
    CidrMatch,
    Icmp6Match,
    Layout,
    NftRule,
    OutsideMatch,
    PortMatch,
    Set,
    SetMatch,
    StateMatch,
    Table,
    assemble,
    assemble_nft,
    nft_script,
    nft_transaction,
    nft_transaction_json,
)
from liqo_connectivity.chains.values import AddressRange, address
from tests.support import nft
from tests.support.chain_layouts import one_rule, policy_relations
from tests.support.chain_verdict import Packet, inside, nft_verdict

POLICY = [
    ("drop", "vc-remote", "private-subnets"),
    ("accept", "any", "offloaded"),
    ("drop", "nowhere", "any"),
    ("drop", "private-subnets", "remote-cluster"),
]
MEMBERS = {"vc-remote": ["10.71.0.10", "10.71.0.9", "100.64.0.1"], "offloaded": []}


def tables() -> tuple[Table, ...]:
    return assemble(Layout.from_relations(policy_relations(POLICY, MEMBERS))) + assemble(
        Layout.from_relations(policy_relations(POLICY[:1], MEMBERS, peering="rome-2"))
    )


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("way", ["text", "json"])
def test_the_kernel_holds_what_was_written_once_or_repeatedly(way: str, times: int) -> None:
    if way == "text":
        listing = nft.load_script(*[nft_script(tables())] * times)
    else:
        listing = nft.load_transaction(*[nft_transaction_json(tables())] * times)
    assert [table["name"] for table in nft.objects(listing, "table")] == ["connectivity-milan", "connectivity-rome-2"]
    for table in tables():
        mine = [rule["comment"] for rule in nft.objects(listing, "rule") if rule["table"] == table.name]
        assert mine == [rule.name for rule in table.chains[0].rules]
        sets = {
            held["name"]: held.get("elem", []) for held in nft.objects(listing, "set") if held["table"] == table.name
        }
        assert sets == {held.name: [str(element) for element in held.elements] for held in table.sets}
        (chain,) = (chain for chain in nft.objects(listing, "chain") if chain["table"] == table.name)
        hook = [chain[key] for key in ("name", "type", "hook", "prio", "policy")]
        assert hook == ["connectivity", "filter", "postrouting", 90, "accept"]


def test_text_and_json_load_to_the_same_ruleset() -> None:
    by_text, by_json = nft.load_script(nft_script(tables())), nft.load_transaction(nft_transaction_json(tables()))
    assert _without_handles(by_text) == _without_handles(by_json)


def test_other_tables_stay_and_an_emptied_table_goes() -> None:
    foreign = "table ip foreign {\n\tchain c {\n\t}\n}\n"
    emptied = Table("milan", "liqo-tenant-milan", "p", chains=(), sets=())
    loaded = foreign + nft_script(tables())
    by_text = nft.load_script(loaded, nft_script([emptied]), nft_script([emptied]))
    by_json = nft.load(("-f", loaded), ("-jf", nft_transaction_json([emptied])))
    for listing in (by_text, by_json):
        assert [table["name"] for table in nft.objects(listing, "table")] == ["foreign", "connectivity-rome-2"]


def test_the_longest_names_load() -> None:
    peering = "m" * 51
    held = Set(f"namespace.{'x' * 63}.14", ())
    rule = NftRule("r" * 120, (SetMatch("source", held.name),), "drop")
    table = Table(peering, "n" * 63, "p", (Chain((rule,)),), (held,))
    for listing in (nft.load_script(nft_script([table])), nft.load_transaction(nft_transaction_json([table]))):
        assert [entry["name"] for entry in nft.objects(listing, "table")] == [f"connectivity-{peering}"]
        assert [entry["comment"] for entry in nft.objects(listing, "rule")] == [rule.name]


@pytest.mark.parametrize("name", ["group", "namespace", "set", "drop", "ip", "0", "0-0"])
def test_names_that_are_words_of_the_grammar_load(name: str) -> None:
    whole = one_rule(
        chain_any=[("milan", 0, "destination")],
        chain_set=[("milan", 0, "source", "namespace", name)],
        chain_element=[("milan", "namespace", name, "10.0.0.1")],
    )
    (held,) = nft.objects(nft.load_script(nft_script(assemble(whole))), "set")
    assert held["name"] == f"namespace.{name.replace('-', '_')}.0"


def of_members(count: int) -> tuple[list[str], tuple[Table, ...]]:
    addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(count)]
    whole = one_rule(
        chain_rule=[("milan", 0, "rule", 0, "drop")],
        chain_any=[("milan", 0, "destination")],
        chain_set=[("milan", 0, "source", "group", "offloaded")],
        chain_element=[("milan", "group", "offloaded", address) for address in addresses],
    )
    return addresses, assemble(whole)


def elements(listing: nft.Listing) -> list[str]:
    held = {entry["name"]: entry["elem"] for entry in nft.objects(listing, "set")}
    return [address for shard in range(len(held)) for address in held[f"group.offloaded.{shard}"]]


def test_full_sets_load_in_one_transaction_both_ways() -> None:
    addresses, large = of_members(8191)
    for listing in (nft.load_script(nft_script(large)), nft.load_transaction(nft_transaction_json(large))):
        assert elements(listing) == addresses
        assert nft_verdict(listing, Packet(addresses[-1], "192.0.2.1")) == "drop"
        assert nft_verdict(listing, Packet("10.0.31.255", "192.0.2.1")) == "accept"


def test_a_hundred_ports_and_fifty_cidrs_of_each_family_load_as_one_rule_each() -> None:
    cidrs = [f"10.{2 * number}.0.0/16" for number in range(50)] + [
        f"fd00:{2 * number:x}::/32" for number in range(1, 51)
    ]
    ports = [("milan", 0, "tcp", 10 * number, 10 * number + number % 2) for number in range(100)]
    whole = one_rule(
        chain_rule=[("milan", 0, "rule", 0, "drop")],
        chain_any=[("milan", 0, "destination")],
        chain_cidr=[("milan", 0, "source", cidr) for cidr in cidrs],
        chain_port=ports,
    )
    tables = assemble_nft(whole)
    for listing in (nft.load_script(nft_script(tables)), nft.load_transaction(nft_transaction_json(tables))):
        assert [rule["family"] for rule in nft.objects(listing, "rule")] == ["ip", "ip6"]
        for source, port, verdict in (
            ("10.98.0.1", 990, "drop"),
            ("10.98.0.1", 991, "drop"),
            ("10.98.0.1", 992, "accept"),
            ("10.98.0.1", 980, "drop"),
            ("10.98.0.1", 981, "accept"),
            ("10.99.0.1", 990, "accept"),
            ("fd00:64::1", 990, "drop"),
            ("fd00:64::1", 992, "accept"),
            ("fd00:65::1", 990, "accept"),
        ):
            destination = "2001:db8::1" if ":" in source else "192.0.2.1"
            assert nft_verdict(listing, Packet(source, destination, "new", "tcp", port)) == verdict
            assert nft_verdict(listing, Packet(source, destination, "new", "udp", port)) == "accept"
    with pytest.raises(ChainError, match="not an IPv4 CIDR"):
        assemble(whole)
    four = replace(whole, chain_cidr=tuple(row for row in whole.chain_cidr if ":" not in row[3]))
    with pytest.raises(ChainError, match="its 50 sources by 1 destinations by 100 ports bring the chain to 5000 rules"):
        assemble(four)


def test_cidrs_that_fill_a_family_and_thousands_of_them_load() -> None:
    for cidrs in (
        ["0.0.0.0/0", "::/0"],
        ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3", "::/1", "8000::/2"],
        [f"10.{number >> 8}.{number & 255}.0/25" for number in range(3_000)],
    ):
        tables = assemble_nft(
            one_rule(
                chain_any=[("milan", 0, "destination")],
                chain_rule=[("milan", 0, "rule", 0, "drop")],
                chain_cidr=[("milan", 0, "source", cidr) for cidr in cidrs],
            )
        )
        for listing in (nft.load_script(nft_script(tables)), nft.load_transaction(nft_transaction_json(tables))):
            assert nft_verdict(listing, Packet("10.0.0.1", "192.0.2.1")) == "drop"
            in_cidrs = any(inside("fd00::1", cidr) for cidr in cidrs)
            assert nft_verdict(listing, Packet("fd00::1", "fd00::2")) == ("drop" if in_cidrs else "accept")


def test_every_command_of_forty_thousand_elements_loads() -> None:
    addresses, large = of_members(40_000)
    commands = nft_transaction(large)["nftables"]
    assert isinstance(commands, list)
    # one by one: all at once is more than a process without real privileges may send
    listing = nft.load_transaction(*(json.dumps({"nftables": [command]}) for command in commands))
    assert elements(listing) == addresses
    assert [rule["comment"][:4] for rule in nft.objects(listing, "rule")] == [f"r{i:03}" for i in range(10)]


def test_real_packets_follow_an_edit_and_replies_pass() -> None:
    def send(policy: list[tuple[str, str, str]]) -> list[tuple[str, str | None]]:
        made = Layout.from_relations(policy_relations(policy, {"vc-remote": ["10.71.0.9"]}))
        flows = [("10.71.0.9", "10.1.0.1"), ("10.1.0.1", "10.71.0.9"), ("10.1.0.1", "192.0.2.1")]
        return nft.send(nft_script(assemble(made)), flows)

    passed = ("accept", "accept")
    assert send([]) == [passed, passed, passed]
    assert send([("drop", "vc-remote", "any")]) == [("drop", None), passed, passed]
    both = [("drop", "vc-remote", "any"), ("drop", "any", "vc-remote")]
    assert send(both) == [("drop", None), ("drop", None), passed]
    assert send([("accept", "any", "vc-remote"), *both]) == [("drop", None), passed, passed]


def test_a_machine_without_nft_fails_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(nft.NftError, match="nft is not installed"):
        nft.load_script("")


def test_what_nft_refuses_fails_with_its_words() -> None:
    with pytest.raises(nft.NftError, match="syntax error"):
        nft.load_script("table ip {\n")


# ---- A table that could break out of the grammar cannot be built ----

CIDR, CIDR6 = (CidrMatch("source", (ip_network(text),)) for text in ("10.0.0.0/8", "fd00::/8"))
RANGE6 = ip_address("fd00::1"), ip_address("fd00::9")


def ranges(count: int) -> tuple[AddressRange, ...]:
    return tuple((ip_address(f"10.{number}.0.0"), ip_address(f"10.{number}.0.9")) for number in range(count))


BREAKOUT = 'x" ; flush ruleset ; add rule ip t c comment "y'


@pytest.mark.parametrize(
    "build",
    [
        lambda: Table(BREAKOUT, "ns", "p", (), ()),
        lambda: Table("milan", BREAKOUT, "p", (), ()),
        lambda: Set(BREAKOUT, ()),
        lambda: Set("drop", ()),
        lambda: Set("group.a.0 { }; flush ruleset", ()),
        lambda: Set("group.a.0", (address("", "10.0.0.1"), address("", "10.0.0.1"))),
        lambda: Set("group.a.0", (address("", "10.0.0.2"), address("", "10.0.0.1"))),
        lambda: Set("group.a.0", tuple(address("", f"10.0.{n >> 8}.{n & 255}") for n in range(4096))),
        lambda: Set("group." + "x" * 200, ()),
        lambda: NftRule(BREAKOUT, (), "drop"),
        lambda: NftRule("r" * 121, (), "drop"),
        lambda: NftRule("r0", (), BREAKOUT),  # type: ignore[arg-type]  # what a caller without a type checker can do
        lambda: StateMatch((BREAKOUT,)),  # type: ignore[arg-type]  # likewise
        lambda: StateMatch(()),
        lambda: Chain((NftRule("r0", (), "drop"), NftRule("r0", (), "accept"))),
        lambda: Chain(tuple(NftRule(f"r{index}", (), "drop") for index in range(32_769))),
        lambda: Table("milan", "ns", "p", (Chain((NftRule("r0", (SetMatch("source", "a.b"),), "drop"),)),), ()),
        lambda: NftRule("r0", (SetMatch("source", "a.b"),) * 64, "drop"),
        lambda: NftRule("r0", (SetMatch("source", "a.b"),) * 24, "drop"),
        lambda: Table("milan", "ns", "p", (), (Set("a.b", ()), Set("a.b", ()))),
        lambda: Table("milan", "ns", "p", (), (Set("a.b", (address("", "fd00::1"),)),)),
        lambda: Table("milan", "ns", "p", (), (Set("a.b", (address("", "::1"), address("", "fd00::1"))),)),
        lambda: Table("milan", "ns", "p", (), (Set("a.b", (address("", "10.0.0.1"), address("", "::1"))),), "ip6"),
        lambda: Table("milan", "ns", "p", (Chain((NftRule("r0", (CIDR,), "drop"),)),), (), "ip6"),
        lambda: Table("milan", "ns", "p", (Chain((NftRule("r0", (CIDR6,), "drop"),)),), ()),
        lambda: Table("milan", "ns", "p", (Chain((NftRule("r0", (Icmp6Match(("nd-redirect",)),), "drop"),)),), ()),
        lambda: NftRule("r0", (Icmp6Match(("nd-redirect",)), PortMatch("tcp")), "drop"),
        lambda: CidrMatch("source", ()),
        lambda: CidrMatch("source", (*CIDR.cidrs, *CIDR.cidrs)),
        lambda: CidrMatch("source", (*CIDR.cidrs, *CIDR6.cidrs)),
        lambda: CidrMatch("source", (ip_network("11.0.0.0/8"), ip_network("10.0.0.0/8"))),
        lambda: CidrMatch("source", (ip_network("10.0.0.0/8"), ip_network("10.1.0.0/16"))),
        lambda: OutsideMatch("source", ()),
        lambda: OutsideMatch("source", ranges(32)),
        lambda: OutsideMatch("source", (*ranges(1), RANGE6)),
        lambda: OutsideMatch("source", ranges(2)[::-1]),
        lambda: OutsideMatch("source", ranges(1) * 2),
        lambda: OutsideMatch("source", ((ip_address("10.0.0.2"), ip_address("10.0.0.1")),)),
        lambda: NftRule("r0", (OutsideMatch("source", ranges(31)), *(SetMatch("source", "a.b"),) * 14), "drop"),
        lambda: Table("milan", "ns", "p", (Chain((NftRule("r0", (OutsideMatch("source", (RANGE6,)),), "drop"),)),), ()),
        lambda: Chain((), BREAKOUT),
        lambda: Chain((), "from-1-to-0-and-on"),
        lambda: PortMatch(BREAKOUT),  # type: ignore[arg-type]  # likewise
        lambda: PortMatch("icmp", ((80, 80),)),
        lambda: PortMatch("tcp", ((0, 65535),)),
        lambda: PortMatch("tcp", ((80, 79),)),
        lambda: PortMatch("tcp", ((-1, 79),)),
        lambda: PortMatch("tcp", ((80, 65536),)),
        lambda: PortMatch("tcp", ((80, 80), (81, 81))),
        lambda: PortMatch("tcp", ((90, 99), (80, 80))),
        lambda: Icmp6Match(()),
        lambda: Icmp6Match((BREAKOUT,)),
        lambda: Icmp6Match(("packet-too-big", "nd-redirect")),
    ],
)
def test_a_table_that_does_not_load_cannot_be_built(build: object) -> None:
    assert callable(build)
    with pytest.raises(ChainError):
        build()


def _without_handles(listing: nft.Listing) -> list[tuple[str, str]]:
    held = [
        (kind, json.dumps({key: value for key, value in body.items() if key != "handle"}, sort_keys=True))
        for entry in listing
        for kind, body in entry.items()
    ]
    return sorted(held, key=lambda pair: pair[0] == "rule")
