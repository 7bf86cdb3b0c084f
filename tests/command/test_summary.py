"""The default answer of ``why``: the verdict first, at most twelve lines, each end explained down to an object's field."""

import re
from collections.abc import Iterator
from random import Random

import pytest

from liqo_connectivity.engine import Explainer
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain import answer
from liqo_connectivity.operator.explain.endpoints import Endpoint
from liqo_connectivity.operator.explain.text.answer import answer_lines
from liqo_connectivity.operator.explain.text.summary import LIMIT, summary_lines
from liqo_connectivity.operator.sources.question import Question
from liqo_connectivity.rules.relations import Flow
from tests.support.clusters import base_of, example, shown, solve
from tests.support.descriptions import Cluster
from tests.support.manifests import objects
from tests.support.recorded_cluster import outputs
from tests.support.seeds import groups

FIELD = re.compile(r"(\w+ [\w./-]+( \(resourceVersion \w+\))?: /\S+|the rule \S+\.dl:\d+)")
VERDICTS = ("ALLOWED", "DENIED", "UNKNOWN")


def answers(seed: int) -> Iterator[tuple[Cluster, answer.Answer]]:
    """Answers about a random cluster: to single flows, and to all of them as if they were pairs of two groups."""
    described, asked = example(seed, 8)
    base = base_of(objects(described))
    flows = [Flow(f"{one.source} -> {one.destination}", *one[:3]) for one in asked]
    for some in ([flow] for flow in flows):
        yield described, _answer(base, some)
    yield described, _answer(base, list({flow.flow: flow for flow in flows}.values()))


def _answer(base: FactBase, flows: list[Flow]) -> answer.Answer:
    ends = [Endpoint(f"ip:{address}", "ip", address) for address in (flows[0].source, flows[0].destination)]
    asked = [Question(flow, None, flow.flow) for flow in flows]
    return answer.make(Explainer(solve(base, answer.RELATIONS, flows)), base, asked, ends[0], ends[1], None)


@pytest.mark.parametrize("seed", groups(90_000, 90_040, 10))
def test_an_answer_has_at_most_twelve_lines_with_the_verdict_first(seed: int) -> None:
    several = longest = 0
    for number in range(seed, seed + 10):
        for described, found in answers(number):
            lines = summary_lines(found)
            told = f"seed {number}:\n" + "\n".join(lines) + f"\n{shown(described)}"
            assert 1 < len(lines) <= LIMIT == 12, told
            assert lines[0].startswith(found.verdict.upper() + "  "), told
            assert all(line.isprintable() for line in lines), told
            assert sum(line.startswith(VERDICTS) for line in lines) == 1, told
            named = [p.peering for p in found.peerings if any(line.startswith(f"{p.peering}: ") for line in lines)]
            folded = len(found.peerings) - len(named)
            assert not folded or any(re.match(r"and \d+ more", line) for line in lines), told
            decided = [p for p in found.peerings if p.verdict == found.verdict]
            assert not decided or decided[0].peering in named, told
            if found.unknown and found.verdict == "unknown":
                assert any(line.startswith("unknown: ") for line in lines), told
            several += len(found.peerings) > 1
            longest = max(longest, len(lines))
    assert several
    assert longest > 6, "the property would hold of answers that say nothing"


@pytest.mark.parametrize("seed", groups(91_100, 91_120, 10))
def test_each_end_of_the_deciding_rule_ends_at_a_field(seed: int) -> None:
    explained = 0
    for number in range(seed, seed + 15):
        for described, found in answers(number):
            ends = [line for line in summary_lines(found) if line.startswith(("  The source", "  The destination"))]
            first = sorted(found.peerings, key=lambda p: ("denied", "unknown", "allowed").index(p.verdict))[:1]
            by_rule = bool(first) and first[0].decision is not None and first[0].decision.kind == "rule"
            assert len(ends) >= 2 or not by_rule, shown(described)
            assert all(FIELD.search(line) for line in ends), ends
            explained += by_rule
    assert explained


def test_many_peerings_and_reasons_are_counted() -> None:
    rng = Random(0)
    while True:
        *_, (_, found) = answers(rng.randrange(10**6))
        if found.peerings and found.verdict == "denied":
            break
    many = answer.Answer(
        found.source,
        found.destination,
        None,
        found.flow,
        found.verdict,
        found.pairs,
        found.peerings[:1] * 40,
        tuple((f"Network ns/{n}", "NetworkNotReady", "/status/cidr is not set") for n in range(50)),
        found.base,
    )
    lines = summary_lines(many)
    assert len(lines) <= LIMIT
    assert "and 48 more reasons (--proof)" in lines
    (counted,) = [line for line in lines if "by their policies" in line]
    shown_peerings = sum(line.startswith(f"{found.peerings[0].peering}: ") for line in lines)
    assert counted.startswith(f"and {40 - shown_peerings} more ")
    assert len(answer_lines(many, full=False)) > 100


def test_the_proof_is_printed_on_request(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["why", "shop/web-0", "infra/dns-0", "-f", cluster]
    code, short, _ = outputs(capsys, *asked)
    assert 'side_matches("milan"' not in short
    proofs = {option: outputs(capsys, *asked, *option.split()) for option in ("--proof", "--full", "--proofs 2")}
    for option, (other, out, _) in proofs.items():
        assert other == code, option
        assert 'side_matches("milan", 1, "source"' in out, option
        assert out.splitlines()[0] == short.splitlines()[0], option
    assert len(proofs["--full"][1]) > len(proofs["--proof"][1])


def test_a_denied_pod_is_explained_in_six_lines(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "why", "shop/web-0", "infra/dns-0", "-f", cluster)
    lines = out.splitlines()
    assert code == 1
    assert (
        lines[1] == "milan: DENIED by rule 1 of PeeringConnectivity liqo-tenant-milan/milan: deny remote-cluster -> any"
    )
    assert lines[2].startswith("  The source is in remote-cluster by Network liqo-tenant-milan/")
    assert lines[2].endswith('/status/cidr = "10.71.0.0/16"')
    assert lines[3].endswith(": /spec/rules/1")
    assert (
        lines[4]
        == "  Earlier rules that would allow it do not match: rule 0 (vc-remote -> vc-local) for the destination"
    )
