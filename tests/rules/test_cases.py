"""The cases: folders of ``tests/data/cases``, whose format `case_folder` describes.

For each case: what was written by hand holds; what comes out is what came out before (``--update`` rewrites it, after
the intent was asserted); Liqo's webhook and the kernel take the chains; chains and ``why`` agree on every pair of
addresses that occur; and the order of the input does not matter.
"""

import itertools
import re
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest

from liqo_connectivity.rules.relations import Flow
from tests.support import liqo_webhook, nft
from tests.support.agent_verdict import agent_verdicts
from tests.support.case_folder import BASES, EXPECTED, cases
from tests.support.case_outcome import Outcome, command, laid_out, relations, run_case, run_turned
from tests.support.chain_verdict import Packet, Verdict, configuration_verdict, nft_verdict

ALL = {case.name: case for case in cases()}
# The scope keeps the tests of a case together, so that parallel workers seldom ask the same things twice.
every_case = pytest.mark.parametrize("name", ALL, scope="module")
VERDICTS = {"allowed": "accept", "denied": "drop"}
EXITS = {"allowed": 0, "denied": 1, "unknown": 3}
OUTSIDE = ("192.0.2.1", "172.18.0.11", "10.96.0.10")
"""An address of the Internet, a node and a ClusterIP."""
LIQO_ONLY = re.compile(r"warning: (IPv6NotEnforced|IPv6Member): ")
"""What is reported because Liqo's agents match IPv4 only."""
SCENARIOS = (*range(1, 32), *range(37, 41), 42)
ELSEWHERE = {3, 4, 5, 6, 22, 26, 27, 31, 42}
"""Scenarios over time, or of the writer: test_scenarios.py."""


@cache
def outcome(name: str) -> Outcome:
    return run_case(ALL[name])


# ---- What was written by hand ----


@every_case
def test_flows_are_decided_as_intended(name: str) -> None:
    for answer in outcome(name).answers:
        flow = answer.flow
        asked = f"{flow.source} -> {flow.destination}, {flow.state}"
        assert (asked, answer.data["verdict"]) == (asked, flow.verdict)
        assert answer.text.code == EXITS[flow.verdict]
        if flow.decided_by is not None:
            found = [_decision(peering) for peering in answer.data["peerings"]]
            assert (asked, sorted(found)) == (asked, list(flow.decided_by))
        reasons = {unknown["reason"] for unknown in answer.data["unknown"]}
        if flow.verdict == "unknown":
            assert (asked, sorted(reasons)) == (asked, list(flow.because))
        if flow.not_covered is not None:
            codes = re.findall(r"^not covered: (\w+): ", answer.text.stdout, re.MULTILINE)
            assert (asked, sorted(codes)) == (asked, list(flow.not_covered))


def _decision(peering: dict[str, object]) -> str:
    decided = peering["decidedBy"]
    if not isinstance(decided, dict):
        return f"{peering['peering']} unknown"
    index = f" {decided['index']}" if decided["kind"] == "rule" else ""
    return f"{peering['peering']} {decided['kind']}{index}"


@every_case
def test_the_report_says_what_is_intended(name: str) -> None:
    found, expect = outcome(name), ALL[name].expect
    assert found.render.code == expect.get("render", 0), found.render.stderr
    assert found.nft.code == expect.get("nft", found.render.code), found.nft.stderr
    if "nft" not in expect:
        kept = [line for line in found.render.stderr.splitlines(keepends=True) if not LIQO_ONLY.match(line)]
        assert found.nft.stderr == "".join(kept)
    pending = [re.sub(r"^PeeringConnectivity (\S+): (\w+): .*", r"\1 \2", line) for line in found.lines("pending: ")]
    assert sorted(set(pending)) == sorted(expect.get("pending", []))
    findings = [re.sub(r"^(\w+): (\w+ \S+): .*", r"\1 \2", line) for line in found.lines("warning: ")]
    assert findings == sorted(expect.get("findings", []))
    # What cannot be read has a file and line before its kind.
    policies = found.lines("error: PeeringConnectivity ")
    invalid = [re.sub(r"^(\S+) (/\S+): .*", r"\1 \2", line) for line in policies]
    assert invalid == expect.get("invalid", [])
    rest = [line for line in found.lines("error: ") if not line.startswith("PeeringConnectivity ")]
    wanted = expect.get("unreadable", [])
    assert len(rest) == len(wanted), rest
    for error, start in zip(rest, wanted, strict=True):
        assert error.replace(": ", " ").startswith(start)


@every_case
def test_check_says_what_is_intended(name: str) -> None:
    found, expect = outcome(name), ALL[name].expect
    if "check" in expect:
        assert found.check.code == expect["check"], found.check.stdout
    if "notes" in expect:
        notes = re.findall(r"^note: not covered: (\w+): (\w+) ", found.check.stderr, re.MULTILINE)
        assert [" ".join(note) for note in notes] == expect["notes"]
    if "shadowed" in expect:
        lines = re.findall(r"PeeringConnectivity (\S+) /spec/rules/(\d+): never decides", found.check.stdout)
        assert [" ".join(line) for line in lines] == expect["shadowed"]


@every_case
def test_chains_and_groups_hold_what_is_intended(name: str) -> None:
    found, expect = outcome(name), ALL[name].expect
    tables = [made["spec"]["table"]["name"].removeprefix("connectivity-") for made in found.configurations()]
    known = relations(ALL[name], ("base_chain", "member", "member_cidr", "namespace_member"))
    assert tables == expect.get("tables", sorted(row[0] for row in known["base_chain"]))
    for text in expect.get("present", []):
        assert text in found.nft.stdout
    for text in expect.get("absent", []):
        assert text not in found.nft.stdout
    for party, addresses in expect.get("members", {}).items():
        group, _, peering = party.partition("@")
        held = known["member"] | known["member_cidr"]
        if group.startswith("namespace:"):
            held, group = known["namespace_member"], group.removeprefix("namespace:")
        members = {row[2] for row in held if row[:2] == (peering, group)}
        assert (party, sorted(members)) == (party, sorted(addresses))


# ---- What came out before ----


@every_case
def test_nothing_else_changed(name: str, update: bool) -> None:
    found, folder = outcome(name).texts(), ALL[name].folder
    assert set(found) == set(EXPECTED)
    if update:
        # Whatever comes out, it is written only when it is what the author of the case meant.
        for holds in INTENT:
            holds(name)
    for file, text in found.items():
        if update:
            (folder / file).write_text(text, "utf-8")
        assert (folder / file).is_file(), f"{file} is missing: look at the case, then run with --update"
        assert text == (folder / file).read_text("utf-8"), f"{file} differs: if that is meant, run with --update"


INTENT = (
    test_flows_are_decided_as_intended,
    test_the_report_says_what_is_intended,
    test_check_says_what_is_intended,
    test_chains_and_groups_hold_what_is_intended,
)


@pytest.mark.parametrize("base", sorted(folder.name for folder in BASES.iterdir()))
def test_the_facts_of_a_base_did_not_change(base: str, update: bool) -> None:
    files = {file.name: file.read_bytes() for file in sorted((BASES / base).glob("*.yaml"))}
    with laid_out(files) as names:
        dumped = command("facts", "dump", "--assume-complete", files=names)
    expected = BASES / base / "facts.jsonl"
    assert (dumped.code, dumped.stderr) == (0, "")
    if update:
        expected.write_text(dumped.stdout, "utf-8")
    assert dumped.stdout == expected.read_text("utf-8")


# ---- Who takes it ----


@every_case
def test_liqo_admits_the_chains(name: str) -> None:
    stored: list[Mapping[str, Any]] = []
    for made in outcome(name).configurations():
        liqo_webhook.admit(made, stored)
        stored.append(made)


@every_case
def test_the_kernel_takes_the_chains(name: str) -> None:
    script = outcome(name).nft.stdout
    listing = nft.load_script(script, script)
    tables = [made["spec"]["table"]["name"] for made in outcome(name).configurations()]
    prefix = "lce-" if ALL[name].enforcer == "agent" else "connectivity-"
    found = [table["name"] for table in nft.objects(listing, "table") if table["family"] == "ip"]
    loaded = [each.replace(prefix, "connectivity-") for each in found]
    assert all(each.startswith(prefix) for each in found)
    assert loaded == tables if "nft" not in ALL[name].expect else set(loaded) >= set(tables)
    names = re.findall(r'comment "(r\d[^"]*)"$', script, re.MULTILINE)
    # What leads from an agent's base chains to its rules has no name.
    named = [rule["comment"] for rule in nft.objects(listing, "rule") if "comment" in rule or prefix != "lce-"]
    assert sorted(named) == sorted(names)


# ---- One meaning ----


@pytest.mark.slow
@every_case
def test_chains_and_why_agree_on_every_pair_of_addresses(name: str) -> None:
    case = ALL[name]
    known = relations(case, ("pod_ip", "network_status_cidr", "network_spec_cidr"))
    addresses = {row[1] for row in known["pod_ip"] if ip_address(row[1]).version == 4}
    for _, written in known["network_status_cidr"] | known["network_spec_cidr"]:
        addresses |= _edges(written)
    pairs = list(itertools.product(sorted({*addresses, *OUTSIDE}), repeat=2))
    asked = [(a, b, "new") for a, b in pairs] + [(a, b, "established") for a, b in pairs[::7]]
    flows = [Flow(str(number), a, b, state) for number, (a, b, state) in enumerate(asked)]
    verdicts = relations(case, ("flow_verdict",), flows)["flow_verdict"]
    told = {row[0]: row[1] for row in verdicts}
    assert len(told) == len(verdicts) == len(flows)
    made = outcome(name).configurations()
    for flow in flows:
        # A chain that is not there decides nothing, so an unknown verdict claims nothing about the others.
        if told[flow.flow] != "unknown":
            enforced = configuration_verdict(made, Packet(flow.source, flow.destination, flow.state))
            assert (flow, enforced) == (flow, VERDICTS[told[flow.flow]])


def _edges(written: str) -> set[str]:
    """The first and last address of a CIDR, and those beside it."""
    try:
        network = ip_network(written, strict=False)
    except ValueError:
        return set()
    if not isinstance(network, IPv4Network) or not network.prefixlen:
        return set()
    first, last = int(network[0]), int(network[-1])
    return {str(IPv4Address(number % (1 << 32))) for number in (first, last, last + 1, first - 1)}


@every_case
def test_the_kernel_holds_what_decides_the_flows(name: str) -> None:
    listing = nft.load_script(outcome(name).nft.stdout)
    for answer in outcome(name).answers:
        ends = [answer.data[end]["address"] for end in ("source", "destination")]
        if ends[0] and (ip_address(ends[0]).version == 4 or ALL[name].enforcer != "liqo"):
            for verdict, protocol, port in _asked(answer.data):
                packet = Packet(ends[0], ends[1], answer.flow.state, protocol, port)
                assert verdict == "unknown" or (packet, _loaded(name, listing, packet)) == (packet, {VERDICTS[verdict]})


def _loaded(name: str, listing: nft.Listing, packet: Packet) -> set[Verdict]:
    """What the loaded chains do with the first packet of a connection, or one more of it; of an agent's, in every hook."""
    if ALL[name].enforcer == "agent":
        return agent_verdicts(listing, packet, packet)
    return {nft_verdict(listing, packet)}


def _asked(data: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """The verdicts of an answer, each with a protocol and port that it is about."""
    if "ports" in data:
        # GRE is traffic of no named protocol.
        named = [(each["verdict"], each["protocol"], each["first"]) for each in data["ports"]]
        return [(verdict, "gre" if protocol == "other" else protocol, first) for verdict, protocol, first in named]
    port = data["destination"]
    return [(data["verdict"], port.get("protocol", "udp"), port.get("targetPort", port.get("port", 0)))]


@pytest.mark.slow
@every_case
def test_the_order_of_the_input_does_not_matter(name: str) -> None:
    found = outcome(name)
    rendered, as_nft, facts = run_turned(ALL[name])
    assert rendered.stdout == found.render.stdout
    assert as_nft.stdout == found.nft.stdout
    if not ALL[name].expect.get("unreadable"):
        # Otherwise both say at which line.
        assert rendered == found.render
        assert facts == found.facts


# ---- The list ----


def test_every_scenario_has_a_case_or_a_test() -> None:
    numbered = {int(name[:2]) for name in ALL if name[:2].isdigit()}
    assert numbered | ELSEWHERE >= set(SCENARIOS)


def test_every_case_says_what_it_is_about() -> None:
    for case in ALL.values():
        assert re.fullmatch(r"[A-Z].{30,}\.", case.about), case.name
        assert case.flows or case.expect, case.name
