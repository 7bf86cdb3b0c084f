"""From whatever a kernel has of an agent's table to a version of it, in place.

A table that is deleted and added in one transaction is not whole at every moment: sets of ranges are filled only after the rules
that name them are in use, a millisecond later where other sets are large (Linux 6.18). So chains and sets stay, and sets of
ports are there before any rule names them.
"""

import re
from collections.abc import Iterator
from typing import Final

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.comparison.views import TableView, counter_text, view_table
from liqo_connectivity.chains.writers.agent_text import agent_script, rules_text
from liqo_connectivity.chains.writers.agent_update import (
    base_chain_lines,
    element_lines,
    first_sets,
    port_set_lines,
    ports_text,
    script,
    set_line,
)

_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_./-]{0,254}")
_COUNTER: Final = counter_text("")


def agent_repair(found: TableView, after: AgentTable) -> tuple[str, ...]:
    """The scripts, one transaction each, that make ``after`` of a table that was found; only the last changes what packets meet.

    The whole table in one if something in it cannot be put right in place: a hook, a flag, or an object of a kind that it never
    has.
    """
    wanted = view_table(after)
    counters = {each.removeprefix(_COUNTER) for each in found.others if each.startswith(_COUNTER)}
    others = {each for each in found.others if not each.startswith(_COUNTER)}
    same_hooks = all(
        found.chains[name].base == wanted.chains[name].base for name in wanted.chains.keys() & found.chains.keys()
    )
    named = all(map(_NAME.fullmatch, (*counters, *found.chains, *found.sets)))
    if after.is_empty or others or not same_hooks or not named:
        return (agent_script([after]),)
    ports = script(port_set_lines(after, sorted(after.port_sets.keys() - found.sets.keys())))
    large = first_sets(after, [each for each in after.sets if each.name not in found.sets])
    return *((ports,) if ports else ()), *large, script(_lines(found, after, counters, loaded=bool(large)))


def _lines(found: TableView, after: AgentTable, counters: set[str], *, loaded: bool) -> Iterator[str]:
    place = f"{after.family} {after.name}"
    yield from (f"add counter {place} {name}" for name in sorted(set(after.counter_names) - counters))
    wanted = view_table(after)
    for name, ranges in after.port_sets.items():
        if name in found.sets and found.sets[name] != wanted.sets[name]:
            yield f"flush set {place} {name}"
            yield f"add element {place} {name} {{ {ports_text(ranges)} }}"
    for each in after.sets:
        elements = wanted.sets[each.name]
        held = found.sets.get(each.name, elements if loaded else frozenset())
        if each.name not in found.sets and not loaded:
            yield set_line(after, each.name)
        yield from element_lines("add", place, each.name, elements - held)
        yield from element_lines("delete", place, each.name, held - elements)
    chains = rules_text(after)
    yield from (f"add chain {place} {chain}" for chain in chains)
    extra = sorted(found.chains.keys() - wanted.chains.keys())
    yield from (f"flush chain {place} {chain}" for chain in sorted(found.chains))
    for chain, rules in chains.items():
        yield from (f"add rule {place} {chain} {rule}" for rule in rules)
    yield from base_chain_lines(after)
    yield from (f"delete chain {place} {chain}" for chain in extra)
    yield from (f"delete set {place} {name}" for name in sorted(found.sets.keys() - wanted.sets.keys()))
    yield from (f"delete counter {place} {name}" for name in sorted(counters - set(after.counter_names)))
