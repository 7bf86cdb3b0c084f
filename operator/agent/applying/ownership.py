"""Which tables of a kernel are ours: by name and by comment, so that one of another with such a name is never touched."""

from collections.abc import Iterable

from liqo_connectivity.chains import AGENT_PREFIX, OWNER
from liqo_connectivity.operator.agent.kernel.reader import HeldTable, Reader


def own_tables(reader: Reader) -> list[HeldTable]:
    """The tables of ours, by family and name. Raises OSError."""
    return [each for each in reader.tables() if each.name.startswith(AGENT_PREFIX) and each.comment == OWNER]


def deletion(tables: Iterable[HeldTable]) -> str:
    """The script that deletes tables, as one transaction."""
    return "".join(f"delete table {each.family} {each.name}\n" for each in tables)
