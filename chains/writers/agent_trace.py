"""A table beside an agent's that logs samples of the packets which its rules decide, as an nft script.

It stands just before the agent's own chains and lets everything through, so whatever is wrong with it opens nothing and closes
nothing. It belongs to the socket that loads it: the kernel deletes it when the program that traces ends, however it ends.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from liqo_connectivity.chains.assemble_agent import HOOKS, AgentTable
from liqo_connectivity.chains.names import label_of, port_text
from liqo_connectivity.chains.writers.agent_text import BASE_RULES, connection_match
from liqo_connectivity.chains.writers.nft_text import match_text, set_lines

TRACE_PREFIX: Final = "lct-"
"""How the names of these tables begin: no agent takes them for its own."""
LIMIT: Final = "limit rate 10/second burst 20 packets"
"""How many packets of a rule are logged. It is in the rule that logs, and not in the next, which ends the chain for all."""
SNAPPED: Final = 64
"""Bytes of a packet that are logged: enough for its addresses and ports."""


def agent_trace(table: AgentTable, group: int, *, denied: bool) -> str:
    """The script; each packet is logged to the group of NFLOG, with peering, rule and verdict as its prefix.

    With ``denied``, only packets that are dropped. Empty for a table that is to go.
    """
    return "" if table.is_empty else "".join(f"{line}\n" for line in _table(table, group, denied))


def _table(table: AgentTable, group: int, denied: bool) -> Iterator[str]:
    yield f"table {table.family} {TRACE_PREFIX}{table.peering} {{"
    yield "\tflags owner;"
    for held in table.sets:
        yield from set_lines(table.family, held)
    for name, ranges in table.port_sets.items():
        elements = ", ".join(map(port_text, ranges))
        yield f"\tset {name} {{ type inet_service; flags interval; elements = {{ {elements} }}; }}"
    for hook, priority in HOOKS:
        yield f"\tchain {hook} {{"
        yield f"\t\ttype filter hook {hook} priority {priority - 1}; policy accept;"
        yield from (f"\t\t{rule}" for rule in BASE_RULES)
        yield "\t}"
    for chain, write in (("connection", connection_match), ("packet", match_text)):
        yield f"\tchain {chain} {{"
        for rule in table.rules:
            matches: Sequence[str] = [write(table.family, match) for match in rule.matches]
            if rule.verdict == "drop" or not denied:
                prefix = f"{table.peering} {label_of(rule.name)} {rule.verdict}"
                yield "\t\t" + " ".join([*matches, LIMIT, f'log prefix "{prefix}" group {group} snaplen {SNAPPED}'])
            yield "\t\t" + " ".join([*matches, "accept"])
        yield "\t}"
    yield "}"
