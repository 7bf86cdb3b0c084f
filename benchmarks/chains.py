"""``python -m benchmarks.chains``: the rules of nftables that a rule of a policy becomes, in both encodings.

Nothing is derived: the layouts are made here. The bound: a rule with 100 ports and 50 CIDRs is at most a handful of rules
for nft. Exits with 1 when it is missed.
"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, dataclass
from time import process_time
from typing import Final

from liqo_connectivity.chains import ChainError, Layout, assemble, assemble_nft, nft_script
from liqo_connectivity.chains.limits import MAX_CHAIN_RULES

PEERING: Final = "milan"
CASES: Final = ((1, 1), (10, 10), (100, 50), (100, 500))
"""Ports and CIDRs of a family."""
JUDGED: Final = (100, 50)
HANDFUL: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A rule with ``ports`` of two protocols, from ``cidrs`` of both families to the pods of a set.

    ``agent_rules`` is what Liqo's agents need for its IPv4 alone, ``nft_rules`` what nft needs for all.
    """

    ports: int
    cidrs: int
    agent_rules: int
    nft_rules: int
    nft_bytes: int
    milliseconds: float

    @property
    def holds(self) -> bool:
        return (self.ports, self.cidrs) != JUDGED or self.nft_rules <= HANDFUL


def layout(ports: int, cidrs: int, families: tuple[int, ...] = (4, 6)) -> Layout:
    """A chain of one rule."""
    networks = [f"10.{number >> 7}.{2 * number & 255}.0/24" for number in range(cidrs)] if 4 in families else []
    networks += [f"fd00:{2 * number:x}::/32" for number in range(1, cidrs + 1)] if 6 in families else []
    addresses = [f"10.200.{number >> 8}.{number & 255}" for number in range(1_000)] if 4 in families else []
    addresses += [f"fd01::{number:x}" for number in range(1, 1_001)] if 6 in families else []
    return Layout(
        base_chain=((PEERING, f"liqo-tenant-{PEERING}", f"liqo-tenant-{PEERING}/policy"),),
        chain_rule=((PEERING, 1, "rule", 0, "accept"),),
        chain_cidr=tuple((PEERING, 1, "source", cidr) for cidr in networks),
        chain_set=((PEERING, 1, "destination", "group", "offloaded"),),
        chain_element=tuple((PEERING, "group", "offloaded", address) for address in addresses),
        chain_port=tuple((PEERING, 1, ("tcp", "udp")[number % 2], 10 * number, 10 * number) for number in range(ports)),
    )


def measure(ports: int, cidrs: int) -> Row:
    """Write one rule for nft, and count what Liqo's agents would need."""
    whole = layout(ports, cidrs)
    before = process_time()
    tables = assemble_nft(whole)
    script = nft_script(tables)
    milliseconds = 1000 * (process_time() - before)
    rules = sum(len(chain.rules) for table in tables for chain in table.chains)
    return Row(ports, cidrs, agent_rules(ports, cidrs), rules, len(script), round(milliseconds, 2))


def agent_rules(ports: int, cidrs: int) -> int:
    """The rules that Liqo's agents need for the IPv4 of a rule, also where they are too many to be written."""
    try:
        (table,) = assemble(layout(ports, cidrs, families=(4,)))
    except ChainError:
        count = ports * cidrs
        if count <= MAX_CHAIN_RULES:
            raise
        return count
    return sum(len(chain.rules) for chain in table.chains)


def main() -> int:
    """Measure and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks.chains", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows for a program")
    given = parser.parse_args()
    rows = [measure(*case) for case in CASES]
    if given.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print(f"{'ports':>6} {'CIDRs':>6} {'agent rules':>12} {'nft rules':>10} {'nft kB':>7} {'ms':>7}")
        for row in rows:
            agent = f"{row.agent_rules}{'' if row.agent_rules <= MAX_CHAIN_RULES else '!'}"
            print(
                f"{row.ports:6} {2 * row.cidrs:6} {agent:>12} {row.nft_rules:10} {row.nft_bytes / 1000:7.1f} "
                f"{row.milliseconds:7.2f}"
            )
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
