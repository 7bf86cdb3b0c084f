"""Keeps the tables that an agent wants in the kernel: applies their versions, adopts those that it finds, repairs what others change.

All of it is in one thread. Whatever fails leaves the last version in the kernel: a transaction is whole or nothing. The tables
of a peering, one for each family, change in one transaction; those of other peerings do not depend on it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    OWNER,
    AgentTable,
    Family,
    agent_repair,
    agent_script,
    agent_update,
    differences,
    view_listing,
    view_table,
)
from liqo_connectivity.operator.agent.applying.ownership import deletion, own_tables
from liqo_connectivity.operator.agent.kernel.conntrack import require_ports
from liqo_connectivity.operator.agent.kernel.library import RefusedError
from liqo_connectivity.operator.agent.kernel.notices import Notices
from liqo_connectivity.operator.agent.kernel.reader import HeldTable, Reader
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer

Key = tuple[str, str]
"""The family and name of a table."""
Held = Mapping[Key, HeldTable]
"""The tables of a kernel."""
Scripts = tuple[str, ...]
"""Transactions for a table, of which only the last changes what packets meet."""


class Keeper:
    """Keeps tables in the kernel of the network namespace where it is made. Its methods raise OSError where it cannot be read."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reader = Reader()
        # Before anything is read, so that no change after it goes unseen.
        self._notices = Notices()
        self._wanted: dict[str, tuple[AgentTable, ...]] = {}
        self._applied: dict[Key, AgentTable] = {}
        self._doubted: set[Key] = set()
        self._own: set[int] = set()
        self.failing: dict[str, str] = {}
        """Why the kernel has not what is wanted, by peering: it has what was applied last."""
        self.repairs = 0
        """How many tables others had changed that were put right."""
        self.writes = 0
        """How many transactions there were."""

    def fileno(self) -> int:
        """What can be read when somebody has changed a table."""
        return self._notices.fileno()

    @property
    def applied(self) -> dict[str, tuple[AgentTable, ...]]:
        """What was applied last, by peering: what is repaired to."""
        found: dict[str, tuple[AgentTable, ...]] = {}
        for _, table in sorted(self._applied.items()):
            found[table.peering] = (*found.get(table.peering, ()), table)
        return found

    def want(self, tables: Iterable[AgentTable]) -> None:
        """Want these tables in place of those wanted for their peerings; other peerings keep theirs.

        What is right in the kernel stays untouched. Afterwards ``failing`` says what is not as it is wanted.
        """
        given: dict[str, dict[Family, AgentTable]] = {}
        for table in tables:
            families = given.setdefault(table.peering, {"ip": empty(table, "ip"), "ip6": empty(table, "ip6")})
            families[table.family] = table
        self._wanted |= {peering: tuple(families.values()) for peering, families in given.items()}
        for peering in sorted(given):
            self._settle(peering)

    def retry(self) -> None:
        """Try again what is failing."""
        for peering in sorted(self.failing):
            self._settle(peering)

    def sweep(self, peerings: Collection[str]) -> list[HeldTable]:
        """Delete the tables of ours that are of none of these peerings, and want them no more; which these were.

        Tables are ours by name and comment. Raises RefusedError and LostError: then they are all there, or it is not known.
        """
        names = {f"{AGENT_PREFIX}{peering}" for peering in peerings}
        gone = [each for each in own_tables(self._reader) if each.name not in names]
        if gone:
            self._write([deletion(gone)])
        for peering in [each for each in self._wanted if each not in peerings]:
            for table in self._wanted.pop(peering):
                self._applied.pop((table.family, table.name), None)
            self.failing.pop(peering, None)
        return gone

    def repair(self) -> int:
        """Put right what others have changed since the last call; how many tables were."""
        for change in self._notices.waiting():
            if not change.is_whole:
                # Of what was lost, some may have been ours.
                self._own.clear()
            if change.generation in self._own:
                self._own.discard(change.generation)
                continue
            self._doubted |= change.tables & self._applied.keys() if change.is_whole else self._applied.keys()
        before = self.repairs
        for peering in sorted({self._applied[key].peering for key in self._doubted & self._applied.keys()}):
            if peering in self.failing:
                self._settle(peering)
            else:
                self._restore(peering)
        return self.repairs - before

    def close(self) -> None:
        """Close what it reads with. The tables stay."""
        self._notices.close()
        self._reader.close()

    def _settle(self, peering: str) -> None:
        """Make the tables of a peering in the kernel those that are wanted, or else those that were applied last."""
        wanted = self._wanted[peering]
        try:
            held = self._held()
            self._put(lambda whole: [self._scripts(table, held, whole=whole) for table in wanted], wanted)
        except RefusedError as error:
            self._restore(peering)
            self.failing[peering] = str(error)
        except LostError as error:
            # Maybe it was applied: to go back now would be a change that nobody wants.
            self.failing[peering] = str(error)
        else:
            self.failing.pop(peering, None)

    def _restore(self, peering: str) -> None:
        """Make the tables of a peering that may differ from those applied last the same again, in one transaction."""
        tables = [self._applied[key] for key in sorted(self._doubted & self._applied.keys())]
        tables = [table for table in tables if table.peering == peering]
        try:
            held = self._held()
            scripts = self._put(lambda whole: [self._rewritten(table, held, whole=whole) for table in tables], tables)
        except (RefusedError, LostError) as error:
            self.failing[peering] = f"repair: {error}"
        else:
            self.repairs += sum(map(bool, scripts))

    def _put(self, make: Callable[[bool], list[Scripts]], tables: Collection[AgentTable]) -> list[Scripts]:
        """Write tables; their scripts. What another has made of a table may not let it be put right in place, so then as a whole."""
        scripts = make(False)
        try:
            self._write_all(scripts, tables)
        except RefusedError:
            again = make(True)
            if again == scripts:
                raise
            self._write_all(again, tables)
        return scripts

    def _scripts(self, after: AgentTable, held: Held, *, whole: bool) -> Scripts:
        """The scripts that make a version of a table of what the kernel has. Raises RefusedError for a table of another."""
        key = after.family, after.name
        require_ports(self._writer, after)
        if key in self._applied:
            if key not in self._doubted:
                return agent_update(self._applied[key], after)
        elif key in held and held[key].comment != OWNER:
            raise RefusedError(
                f"there is a table {' '.join(key)} without the comment {OWNER!r}, so it is not ours and stays: delete or "
                "rename it, and the chains of this peering are loaded"
            )
        return self._rewritten(after, held, whole=whole)

    def _rewritten(self, wanted: AgentTable, held: Held, *, whole: bool) -> Scripts:
        """The scripts that make a version of a table of whatever the kernel has by its name; none if it has that version."""
        key = wanted.family, wanted.name
        if key not in held:
            return agent_update(empty(wanted, wanted.family), wanted)
        if held[key].comment == OWNER and not wanted.is_empty:
            listed = self._writer.apply(f"list table {' '.join(key)}\n")
            found = view_listing(listed, AGENT_PREFIX).get(key)
            # What is missing of the counters, no rule could name.
            if found is not None and not differences(view_table(wanted), found):
                return ()
            if found is not None and not found.chains:
                # It filters nothing yet: what is left of a first load.
                return agent_update(empty(wanted, wanted.family), wanted)
            if found is not None and not whole:
                return agent_repair(found, wanted)
        return (agent_script([wanted]),)

    def _write_all(self, scripts: list[Scripts], tables: Collection[AgentTable]) -> None:
        """Run the last scripts of some tables in one transaction, those before them one by one; then the kernel has the tables."""
        keys = {(table.family, table.name) for table in tables}
        first = [script for each in scripts for script in each[:-1]]
        try:
            self._write([*first, "".join(each[-1] for each in scripts if each)])
        except (RefusedError, LostError) as error:
            if first or isinstance(error, LostError):
                self._doubted |= keys
            raise
        self._applied |= {(table.family, table.name): table for table in tables}
        self._doubted -= keys

    def _held(self) -> Held:
        return {(each.family, each.name): each for each in self._reader.tables()}

    def _write(self, scripts: Iterable[str]) -> None:
        for script in scripts:
            if not script:
                continue
            before = self._reader.generation()
            self._writer.apply(script)
            self.writes += 1
            after = self._reader.generation()
            # If there were others in between, their changes and ours are all looked at.
            if after == before + 1:
                self._own.add(after)


def empty(table: AgentTable, family: Family) -> AgentTable:
    """The table of its peering in a family that is to go, or is not there."""
    return replace(table, table=replace(table.table, chains=(), sets=(), family=family))
