"""``render --enforcer agent`` in the forms of objects: an agent reads the same tables from them as nft gets from the script."""

import json

import pytest
import yaml

from liqo_connectivity.chains import AgentTable, PublishedObjects, agent_script, read_published
from tests.support.certificates import call

AGENT = ("render", "-f", "examples/consumer", "--enforcer", "agent")


def tables(found: PublishedObjects) -> list[AgentTable]:
    """The tables of all chains. Fails if one is incomplete."""
    held: list[AgentTable] = []
    for key in sorted(found.chains):
        made = found.tables(key)
        assert isinstance(made, tuple), made
        held += made
    return held


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_the_objects_hold_what_the_script_loads(output: str) -> None:
    code, text = call(*AGENT, "-o", output)
    documents = list(yaml.safe_load_all(text)) if output == "yaml" else [json.loads(text)]
    found = tables(read_published(documents))
    assert (code, agent_script(found)) == call(*AGENT, "-o", "nft")
    assert found


def test_nft_itself_takes_no_objects() -> None:
    code, _ = call("render", "-f", "examples/consumer", "--enforcer", "nftables")
    assert code == 2
