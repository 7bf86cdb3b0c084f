"""Parts of layouts with one peering, and what the table that is made of them holds."""

from typing import Any

from liqo_connectivity.chains import Layout, Table, assemble, nft_script

ANY = [("milan", 0, "source"), ("milan", 0, "destination")]
TO_ANY = [("milan", 0, "destination")]


def rules(table: Table) -> list[str]:
    """The rules as nft text, without their names."""
    lines = nft_script([table]).splitlines()
    return [line.strip().rpartition(" comment ")[0] for line in lines if " comment " in line]


def only(whole: Layout) -> Table:
    (table,) = assemble(whole)
    return table


def elements(count: int, kind: str = "group", name: str = "vc-remote") -> list[tuple[str, str, str, str]]:
    return [("milan", kind, name, f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(count)]


def from_set(*parties: tuple[str, str]) -> list[tuple[Any, ...]]:
    return [("milan", 0, "source", kind, name) for kind, name in parties]
