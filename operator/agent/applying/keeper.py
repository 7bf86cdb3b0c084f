"""Keeps the tables that an agent wants in the kernel: applies their versions, adopts those that it finds, repairs what others change.

All of it is in one thread. Whatever fails leaves the last version in the kernel: a transaction is whole or nothing.
"""

from collections.abc import Iterable, Mapping

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    OWNER,
    AgentTable,
    TableView,
    agent_script,
    agent_update,
    differences,
    view_listing,
    view_table,
)
from liqo_connectivity.operator.agent.kernel.notices import Notices
from liqo_connectivity.operator.agent.kernel.reader import Reader
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer

Key = tuple[str, str]
"""The family and name of a table."""


class Keeper:
    """Keeps tables in the kernel of the network namespace where it is made.

    ``repairs`` counts the tables that others had changed and that were put right, ``writes`` the transactions.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reader = Reader()
        # Before anything is read, so that no change after it goes unseen.
        self._notices = Notices()
        self._wanted: dict[Key, AgentTable] = {}
        self._own: set[int] = set()
        self._is_in_doubt = False
        self.repairs = 0
        self.writes = 0

    def fileno(self) -> int:
        """What can be read when somebody has changed a table."""
        return self._notices.fileno()

    def adopt(self, tables: Iterable[AgentTable]) -> None:
        """Want these tables and no others of ours, whatever is in the kernel; what is right stays untouched.

        Tables are ours by name and comment. Raises RefusedError and LostError: then nothing has changed, or one of
        several transactions is missing, so try again.
        """
        self._wanted = {(each.family, each.name): each for each in tables}
        self._settle(self._wanted)
        own = [each for each in self._reader.tables() if each.name.startswith(AGENT_PREFIX) and each.comment == OWNER]
        gone = [f"delete table {each.family} {each.name}\n" for each in own if each[:2] not in self._wanted]
        if gone:
            self._write("".join(gone))

    def put(self, after: AgentTable) -> None:
        """Want a version of a table in place of the one before. Raises RefusedError and LostError: then that stays wanted."""
        self._clear_doubt()
        key = after.family, after.name
        before = self._wanted.get(key)
        self._write(agent_update(before, after) if before is not None else agent_script([after]))
        self._wanted[key] = after

    def repair(self) -> None:
        """Put right what others have changed since the last call. Raises RefusedError and LostError, as ``adopt``."""
        self._clear_doubt()
        concerned: set[Key] = set()
        for change in self._notices.waiting():
            if change.generation in self._own:
                self._own.discard(change.generation)
            else:
                concerned |= change.tables & self._wanted.keys() if change.is_whole else self._wanted.keys()
        self.repairs += self._settle({key: self._wanted[key] for key in sorted(concerned)})

    def close(self) -> None:
        """Close what it reads with. The tables stay."""
        self._notices.close()
        self._reader.close()

    def _settle(self, tables: Mapping[Key, AgentTable]) -> int:
        """Write the tables that differ from what the kernel has, all in one transaction; how many these were."""
        wrong = [table for key, table in tables.items() if not self._is_right(key, view_table(table))]
        if wrong:
            self._write(agent_script(wrong))
        return len(wrong)

    def _is_right(self, key: Key, wanted: TableView) -> bool:
        found = {(each.family, each.name): each for each in self._reader.tables()}.get(key)
        if found is None:
            return not wanted.chains
        if not wanted.chains or found.comment != OWNER:
            return False
        listed = self._writer.apply(f"list table {' '.join(key)}\n")
        view = view_listing(listed, AGENT_PREFIX).get(key)
        # What is missing of the counters, no rule could name.
        return view is not None and not differences(wanted, view)

    def _write(self, script: str) -> None:
        if not script:
            return
        before = self._reader.generation()
        try:
            self._writer.apply(script)
        except LostError:
            self._is_in_doubt = True
            raise
        self.writes += 1
        after = self._reader.generation()
        # If there were others in between, their changes and ours are all looked at.
        if after == before + 1:
            self._own.add(after)

    def _clear_doubt(self) -> None:
        """After a transaction of which it is not known whether it was applied: put right what differs."""
        if self._is_in_doubt:
            self._settle(self._wanted)
            self._is_in_doubt = False
