"""The most rules that the CustomResourceDefinition lets a policy have, and what a chain has room for, are the same."""

import json
from pathlib import Path

import pytest

from liqo_connectivity.facts.crd.peering_connectivity import MAX_RULES
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.cli import run
from tests.support.checkout import ROOT
from tests.support.policy_documents import Document, rule, rules


@pytest.mark.parametrize(("count", "fits"), [(MAX_RULES, True), (MAX_RULES + 1, False)])
def test_the_most_rules_are_what_a_chain_has_room_for(
    count: int, fits: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each takes at least one rule of the chain; two are there for what the policy does not govern."""
    narrow = [rule(source={"namespace": f"shop-{n}"}, destination={"group": "offloaded"}) for n in range(count)]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(Document("narrow", rules(*narrow)).policy("liqo-tenant-rome")))
    cluster = [part for name in ("cluster", "liqo", "pods") for part in ("-f", f"{ROOT}/examples/provider/{name}.yaml")]
    code = run(["render", *cluster, "-f", str(file)])
    assert (code == exits.OK) == fits
    assert ("more than the 1000 of one chain" in capsys.readouterr().err) != fits
