"""From one version of an agent's table to the next, as scripts that leave alone what both have.

A new member is an element, whatever the size of its set, and the counters of rules that stay go on counting. Large sets are
loaded before a rule names them: a transaction holds up those of all others on the node.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from liqo_connectivity.chains.assemble_agent import HOOKS, OWNER, AgentTable
from liqo_connectivity.chains.matches import PortRange
from liqo_connectivity.chains.model import Set
from liqo_connectivity.chains.names import port_text
from liqo_connectivity.chains.writers.agent_text import BASE_RULES, agent_script, rules_text
from liqo_connectivity.chains.writers.nft_text import SET_TYPES

AT_ONCE: Final = 4_000
"""Elements of new sets that one script loads. Of IPv6 they are 160 kB of netlink, less than a socket takes by default
(net.core.wmem_default, 212,992): only the host's own root may raise that."""


def agent_update(before: AgentTable, after: AgentTable) -> tuple[str, ...]:
    """The scripts, one transaction each, that make ``after`` of ``before`` if the kernel has that; none if they are the same.

    Only the last changes what happens to a packet: those before it add sets that no rule names yet. An empty ``before`` means
    that the table is not there. ValueError for two tables of different names or families.
    """
    if (before.family, before.name) != (after.family, after.name):
        raise ValueError(f"{after.family} {after.name} is no later version of {before.family} {before.name}")
    if before == after:
        return ()
    if after.is_empty:
        return (agent_script([after]),)
    known = {each.name for each in before.sets}
    sets = first_sets(after, [each for each in after.sets if each.name not in known])
    if before.is_empty:
        if not sets:
            return (agent_script([after]),)
        bare = replace(after, table=replace(after.table, chains=()))
        return (script(_bare(after)), *sets, script(_first_rules(bare, after)))
    ports = script(port_set_lines(after, _new(before.port_sets, after.port_sets)))
    return (*((ports,) if ports else ()), *sets, script(_lines(before, after, loaded=bool(sets))))


def script(lines: Iterable[str]) -> str:
    """Lines as a script."""
    return "".join(f"{line}\n" for line in lines)


def _bare(table: AgentTable) -> Iterator[str]:
    """A table of ours that filters nothing yet, in place of what there is by its name."""
    place = f"{table.family} {table.name}"
    yield from (f"add table {place}", f"delete table {place}", f'add table {place} {{ comment "{OWNER}"; }}')


def port_set_lines(table: AgentTable, names: Iterable[str]) -> Iterator[str]:
    """The lines that add sets of ports.

    They are a transaction before that of the rules that name them: the kernel fills a set of ranges only after the rules of the
    same transaction are in use, a millisecond later where it has much to do (Linux 6.18).
    """
    place = f"{table.family} {table.name}"
    for name in names:
        yield f"add set {place} {name} {{ type inet_service; flags interval; }}"
        yield f"add element {place} {name} {{ {ports_text(table.port_sets[name])} }}"


def first_sets(table: AgentTable, sets: Sequence[Set]) -> list[str]:
    """The scripts that load new sets before their rules, in parts; none if all of them are small."""
    if sum(len(each.elements) for each in sets) <= AT_ONCE:
        return []
    return [script(lines) for lines in _loads(table, sets)]


def _loads(table: AgentTable, sets: Iterable[Set]) -> Iterator[list[str]]:
    """New sets with their elements, in parts."""
    place = f"{table.family} {table.name}"
    for each in sets:
        yield [set_line(table, each.name)]
        for start in range(0, len(each.elements), AT_ONCE):
            part = {element.text for element in each.elements[start : start + AT_ONCE]}
            yield list(element_lines("add", place, each.name, part))


def _first_rules(before: AgentTable, after: AgentTable) -> Iterator[str]:
    """All but the sets of a table that has only these."""
    place = f"{after.family} {after.name}"
    yield from (f"add chain {place} {chain}" for chain in rules_text(after))
    yield from port_set_lines(after, after.port_sets)
    yield from _lines(before, after, loaded=False)
    yield from base_chain_lines(after)


def base_chain_lines(table: AgentTable) -> Iterator[str]:
    """The lines that add the base chains, each with its rules; they have none before."""
    place = f"{table.family} {table.name}"
    for hook, priority in HOOKS:
        yield f"add chain {place} {hook} {{ type filter hook {hook} priority {priority}; policy accept; }}"
        yield from (f"add rule {place} {hook} {rule}" for rule in BASE_RULES)


def set_line(table: AgentTable, name: str) -> str:
    """The line that adds a set of addresses."""
    return f"add set {table.family} {table.name} {name} {{ type {SET_TYPES[table.family]}; }}"


def _lines(before: AgentTable, after: AgentTable, *, loaded: bool) -> Iterator[str]:
    """What changes but for new sets of ports; if ``loaded``, but for new sets of addresses, too."""
    place = f"{after.family} {after.name}"
    # First what new rules refer to, last what no rule refers to any more.
    for name in _new(before.counter_names, after.counter_names):
        yield f"add counter {place} {name}"
    held = {each.name: {element.text for element in each.elements} for each in before.sets}
    wanted = {each.name: {element.text for element in each.elements} for each in after.sets}
    if loaded:
        held |= {name: wanted[name] for name in _new(held, wanted)}
    yield from (set_line(after, name) for name in _new(held, wanted))
    for name, elements in wanted.items():
        yield from element_lines("add", place, name, elements - held.get(name, set()))
        yield from element_lines("delete", place, name, held.get(name, set()) - elements)
    if (before.rules, before.counter_names) != (after.rules, after.counter_names):
        for chain, rules in rules_text(after).items():
            yield f"flush chain {place} {chain}"
            yield from (f"add rule {place} {chain} {rule}" for rule in rules)
    for name in (*_new(wanted, held), *_new(after.port_sets, before.port_sets)):
        yield f"delete set {place} {name}"
    for name in _new(after.counter_names, before.counter_names):
        yield f"delete counter {place} {name}"


def _new(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return sorted(set(after) - set(before))


def ports_text(ranges: Iterable[PortRange]) -> str:
    """Ports as elements."""
    return ", ".join(map(port_text, ranges))


def element_lines(way: str, place: str, name: str, addresses: Iterable[str]) -> Iterator[str]:
    """The line that adds or deletes addresses, if there are any."""
    listed = ", ".join(sorted(addresses))
    if listed:
        yield f"{way} element {place} {name} {{ {listed} }}"
