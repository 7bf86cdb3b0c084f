"""Tables as an nft script, for people and for ``nft -f``.

The grammar of nft escapes nothing. ``values`` and ``model`` let only parsed addresses and closed patterns through.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, assert_never

from liqo_connectivity.chains.model import Chain, CidrMatch, Match, Set, SetMatch, Side, StateMatch, Table

FIELDS: Final[Mapping[Side, str]] = {"source": "ip saddr", "destination": "ip daddr"}


def nft_script(tables: Iterable[Table]) -> str:
    """The script that puts the tables in place, in the order given, as one transaction.

    Idempotent: each table is added (so that it is there), deleted with all that it holds, and defined again. nft sends a
    file as one netlink transaction, so no packet sees a state in between. Other tables are left as they are. nft 1.0.6
    wants the newline at the end.
    """
    return "".join(f"{line}\n" for table in tables for line in _table(table))


def _table(table: Table) -> Iterator[str]:
    yield f"add table {table.family} {table.name}"
    yield f"delete table {table.family} {table.name}"
    yield f"table {table.family} {table.name} {{"
    for held in table.sets:
        yield from _set(held)
    for chain in table.chains:
        yield from _chain(chain)
    yield "}"


def _set(held: Set) -> Iterator[str]:
    yield f"\tset {held.name} {{"
    yield "\t\ttype ipv4_addr"
    if held.elements:
        yield "\t\telements = {"
        # the comma after the last element is allowed by the grammar
        yield from (f"\t\t\t{element.text}," for element in held.elements)
        yield "\t\t}"
    yield "\t}"


def _chain(chain: Chain) -> Iterator[str]:
    yield f"\tchain {chain.name} {{"
    yield f"\t\ttype {chain.type} hook {chain.hook} priority {chain.priority}; policy {chain.policy};"
    for rule in chain.rules:
        words = [*(_match(match) for match in rule.matches), rule.verdict, f'comment "{rule.name}"']
        yield f"\t\t{' '.join(words)}"
    yield "\t}"


def _match(match: Match) -> str:
    match match:
        case StateMatch(states):
            return f"ct state {','.join(states)}"
        case CidrMatch(side, cidr):
            return f"{FIELDS[side]} {cidr}"
        case SetMatch(side, name):
            return f"{FIELDS[side]} @{name}"
        case _:
            assert_never(match)
