"""From one version of an agent's table to the next, as a script that leaves alone what both have.

A new member is an element, whatever the size of its set, and the counters of rules that stay go on counting.
"""

from collections.abc import Iterable, Iterator

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.matches import PortRange
from liqo_connectivity.chains.names import port_text
from liqo_connectivity.chains.writers.agent_text import agent_script, rules_text
from liqo_connectivity.chains.writers.nft_text import SET_TYPES


def agent_update(before: AgentTable, after: AgentTable) -> str:
    """The script, one transaction, that makes ``after`` of ``before`` if the kernel has that; empty if they are the same.

    The whole table if one of them is empty. ValueError for two tables of different names or families.
    """
    if (before.family, before.name) != (after.family, after.name):
        raise ValueError(f"{after.family} {after.name} is no later version of {before.family} {before.name}")
    if before == after:
        return ""
    if before.is_empty or after.is_empty:
        return agent_script([after])
    return "".join(f"{line}\n" for line in _lines(before, after))


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
