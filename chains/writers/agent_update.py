"""From one version of an agent's table to the next, as scripts that leave alone what both have.

A new member is an element, whatever the size of its set, and the counters of rules that stay go on counting. Large sets are
loaded before a rule names them: a transaction holds up those of all others on the node.
"""

from collections.abc import Iterable, Iterator
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
    new = tuple(each for each in after.sets if each.name not in known)
    if sum(len(each.elements) for each in new) <= AT_ONCE:
        return (agent_script([after]) if before.is_empty else _script(_lines(before, after)),)
    sets = [_script(lines) for lines in _loads(after, new)]
    if before.is_empty:
        bare = replace(after, table=replace(after.table, chains=()))
        return (_script(_bare(after)), *sets, _script(_first_rules(bare, after)))
    held = replace(before, table=replace(before.table, sets=(*before.sets, *new)))
    return (*sets, _script(_lines(held, after)))


def _script(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _bare(table: AgentTable) -> Iterator[str]:
    """A table of ours that filters nothing yet, in place of what there is by its name."""
    place = f"{table.family} {table.name}"
    yield from (f"add table {place}", f"delete table {place}", f'add table {place} {{ comment "{OWNER}"; }}')


def _loads(table: AgentTable, sets: Iterable[Set]) -> Iterator[list[str]]:
    """New sets with their elements, in parts."""
    place = f"{table.family} {table.name}"
    for each in sets:
        yield [f"add set {place} {each.name} {{ type {SET_TYPES[table.family]}; }}"]
        for start in range(0, len(each.elements), AT_ONCE):
            part = {element.text for element in each.elements[start : start + AT_ONCE]}
            yield list(_element("add", place, each.name, part))


def _first_rules(before: AgentTable, after: AgentTable) -> Iterator[str]:
    """All but the sets of a table that has only these."""
    place = f"{after.family} {after.name}"
    yield from (f"add chain {place} {chain}" for chain in rules_text(after))
    yield from _lines(before, after)
    for hook, priority in HOOKS:
        yield f"add chain {place} {hook} {{ type filter hook {hook} priority {priority}; policy accept; }}"
        yield from (f"add rule {place} {hook} {rule}" for rule in BASE_RULES)


def _lines(before: AgentTable, after: AgentTable) -> Iterator[str]:
    place = f"{after.family} {after.name}"
    # First what new rules refer to, last what no rule refers to any more.
    for name in _new(before.counter_names, after.counter_names):
        yield f"add counter {place} {name}"
    for name in _new(before.port_sets, after.port_sets):
        yield f"add set {place} {name} {{ type inet_service; flags interval; }}"
        yield f"add element {place} {name} {{ {_ports(after.port_sets[name])} }}"
    held = {each.name: {element.text for element in each.elements} for each in before.sets}
    wanted = {each.name: {element.text for element in each.elements} for each in after.sets}
    for name in _new(held, wanted):
        yield f"add set {place} {name} {{ type {SET_TYPES[after.family]}; }}"
    for name, elements in wanted.items():
        yield from _element("add", place, name, elements - held.get(name, set()))
        yield from _element("delete", place, name, held.get(name, set()) - elements)
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


def _ports(ranges: Iterable[PortRange]) -> str:
    return ", ".join(map(port_text, ranges))


def _element(way: str, place: str, name: str, addresses: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(sorted(addresses))
    if listed:
        yield f"{way} element {place} {name} {{ {listed} }}"
