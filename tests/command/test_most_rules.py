"""A policy may have as many rules as the CustomResourceDefinition allows, but what does not fit into a chain is pending."""

import json
from pathlib import Path

import pytest

from liqo_connectivity.facts.crd.peering_connectivity import MAX_RULES
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.cli import run
from tests.support.checkout import ROOT
from tests.support.policy_documents import Document, rule, rules

WIDE: dict[str, dict[str, str]] = {}
NARROW = {"destination": {"group": "offloaded"}}


@pytest.mark.parametrize(("parties", "fits"), [(WIDE, True), (NARROW, False)])
def test_the_most_rules_fit_unless_they_take_too_many_bytes(
    parties: dict[str, dict[str, str]], fits: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [rule(**parties) for _ in range(MAX_RULES)]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(Document("most", rules(*made)).policy("liqo-tenant-rome")))
    cluster = [part for name in ("cluster", "liqo", "pods") for part in ("-f", f"{ROOT}/examples/provider/{name}.yaml")]
    code = run(["render", *cluster, "-f", str(file)])
    assert (code == exits.OK) == fits
    assert ("TooLarge" in capsys.readouterr().err) != fits
