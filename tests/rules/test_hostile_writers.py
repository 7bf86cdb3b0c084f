"""Nothing that somebody writes who may not decide opens a flow, or keeps a policy from being enforced (docs/trust.md).

Each seed is a cluster, a writer, and what it writes, drawn from all that it may write. Verdicts about the writer's own
addresses may change. Every other denied flow stays denied, and every enforced policy stays enforced.
"""

import re

import pytest

from liqo_connectivity.rules.program import load
from tests.support.case_folder import CASES
from tests.support.checkout import ROOT
from tests.support.hostile_writers import WRITERS
from tests.support.seeds import groups
from tests.support.writer_check import GOALS, violations

ROUNDS, FIRST = 24, 200_000


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_that_a_writer_writes_opens_a_flow_or_blocks_a_policy(writer: str) -> None:
    denied = 0
    for seed in groups(FIRST, FIRST + ROUNDS * 6, 1):
        found = violations(seed, writer)
        assert not found.lines, f"seed {seed}, {writer}:\n" + "\n".join(found.lines)
        denied += found.denied
    # The property would hold of rules that deny nothing.
    assert denied > 25


BELIEVING = {
    "a map adds a namespace": (
        "remote-control-plane",
        'mapped_namespace(P, N) :- tenant_place(P, T), namespace_map(M, T), namespace_map_entry(M, N, _, "Accepted").',
    ),
    "a bad entry of a map holds up a policy": (
        "remote-control-plane",
        'pending(Policy, "X", "NamespaceMap", M, E) :- governing(_, Policy), namespace_map_bad_entry(M, E).',
    ),
    "an undecided offloading holds up a policy": (
        "namespace-user",
        'pending(Policy, "X", "Namespace", N, P) :- governing(P, Policy), mapping_unknown(P, N).',
    ),
    "an EndpointSlice of a user's namespace names a nameserver": (
        "namespace-user",
        'member(P, "nameserver", A) :- peering(P), endpoint_slice_dns(S), endpoint_slice_address(S, A).',
    ),
    "a pod's label takes a pod of another namespace": (
        "label-writer",
        "pods_member(P, N, A) :- selecting(P, _, N), requirement_value(_, Key, _, Value), pod_label(Pod, Key, Value), live(Pod, A).",
    ),
    "a pod's label makes a peering's namespace": (
        "namespace-user",
        'pending(Policy, "X", "Pod", Pod, P) :- governing(P, Policy), pod_origin(Pod, P), pod(Pod, "shop").',
    ),
}
"""Rules that believe somebody who may not decide, and who that is."""


@pytest.mark.slow
@pytest.mark.parametrize("belief", BELIEVING)
def test_the_check_finds_a_rule_that_believes_a_writer(belief: str) -> None:
    writer, rule = BELIEVING[belief]
    rules = load({"believing.dl": rule}).slice(GOALS)
    assert any(violations(seed, writer, rules).lines for seed in range(FIRST + 130, FIRST + 210))


def test_every_row_of_the_document_names_tests_that_exist() -> None:
    rows = [line.split(" | ") for line in (ROOT / "docs" / "trust.md").read_text("utf-8").splitlines()]
    named = [name for row in rows if len(row) == 4 for name in re.findall("`([^`]+)`", row[3])]
    missing = [name for name in named if not (CASES / name / "case.yaml").is_file() and not (ROOT / name).is_file()]
    assert len(named) > 40
    assert not missing


def test_every_case_about_trust_is_in_the_document() -> None:
    document = (ROOT / "docs" / "trust.md").read_text("utf-8")
    assert not [case.name for case in CASES.glob("trust-*") if f"`{case.name}`" not in document]
