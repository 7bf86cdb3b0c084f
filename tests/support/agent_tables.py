"""Tables of an agent for tests, and what the kernel has of them."""

import re
import subprocess

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    AgentTable,
    Layout,
    assemble_agent,
    differences,
    publication,
    published_json,
    view_listing,
    view_table,
)
from liqo_connectivity.operator.agent.applying.keeper import empty
from tests.support.chain_layouts import relations


def made(members: int = 2, *, rules: int = 1, peering: str = "milan", protocol: str = "tcp") -> AgentTable:
    """Chains with some members, and with rules that each name a port more."""
    found = relations(
        base_chain=[(peering, f"liqo-tenant-{peering}", f"liqo-tenant-{peering}/p")],
        chain_rule=[(peering, at, "rule", at, "drop") for at in range(rules)],
        chain_port=[(peering, at, protocol, port, port) for at in range(rules) for port in (80 + at, 443)],
        chain_set=[(peering, at, "source", "group", "vc-local") for at in range(rules)],
        chain_any=[(peering, at, "destination") for at in range(rules)],
        chain_element=[
            (peering, "group", "vc-local", f"10.1.{number >> 8}.{(number + 1) & 255}") for number in range(members)
        ],
    )
    four, _ = assemble_agent(Layout.from_relations(found))
    return four


def is_there(*tables: AgentTable) -> bool:
    """Whether the kernel has these tables of ours, and no others."""
    listed = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    found = view_listing(listed, AGENT_PREFIX)
    wanted = {view.key: view for view in map(view_table, tables)}
    return found.keys() == wanted.keys() and not any(differences(wanted[key], found[key]) for key in wanted)


def nft(script: str) -> None:
    subprocess.run(
        ["nft", "-f", "-"], input=re.sub("; (add|delete|flush) ", r"\n\1 ", script) + "\n", text=True, check=True
    )


def objects(*tables: AgentTable) -> str:
    """The objects that are published for tables of ip, as one JSON document."""
    return published_json([publication((table, empty(table, "ip6")), revision=1) for table in tables])
