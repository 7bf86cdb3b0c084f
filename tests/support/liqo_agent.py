"""A model of how Liqo's fabric agent puts a FirewallConfiguration into the kernel, faults included.

Written from liqotech/liqo pkg/firewall (v1.2.0), with the sets of its open pull request 3155 and the connection states
of 3144; it agrees with what their code was seen to do. Two transactions: the first deletes rules that went or changed
and rewrites sets, the second adds what is missing, rules at the end of the chain. Left out because the end is the same:
the first pass over a new table with sets, which fails once and is retried.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Expression: TypeAlias = tuple[Any, ...]
Object: TypeAlias = Mapping[str, Any]


MAX_EXPRESSIONS = 128
"""NFT_RULE_MAXEXPRS of the kernel."""


class KernelError(Exception):
    """The kernel refused a transaction; nothing of that transaction was done."""


@dataclass
class KernelRule:
    """A rule: its comment and its expressions, the verdict last."""

    comment: str
    expressions: list[Expression]


@dataclass
class KernelChain:
    """A base chain; the agent compares these attributes, and rebuilds the chain if they differ."""

    attributes: tuple[str, str, int, str]
    rules: list[KernelRule] = field(default_factory=list)


@dataclass
class KernelTable:
    """A table of the kernel."""

    chains: dict[str, KernelChain] = field(default_factory=dict)
    sets: dict[str, set[str]] = field(default_factory=dict)


class Agent:
    """One node: the tables in its kernel, by name."""

    def __init__(self) -> None:
        self.tables: dict[str, KernelTable] = {}

    def apply(self, configuration: Object) -> None:
        """One reconciliation."""
        wanted = configuration["spec"]["table"]
        self._transaction(wanted, _clean)
        self._transaction(wanted, _add)

    def _transaction(self, wanted: Object, change: Callable[[KernelTable, Object], None]) -> None:
        table = deepcopy(self.tables.get(wanted["name"], KernelTable()))
        change(table, wanted)
        for chain in table.chains.values():
            for rule in chain.rules:
                if len(rule.expressions) > MAX_EXPRESSIONS:
                    raise KernelError(f"{len(rule.expressions)} expressions in rule {rule.comment}")
                for expression in rule.expressions:
                    if expression[0] == "lookup" and expression[1] not in table.sets:
                        raise KernelError(f"no set {expression[1]} for rule {rule.comment}")
        self.tables[wanted["name"]] = table


def compiled(rule: Object) -> list[Expression]:
    """A filter rule as nftables expressions, the way the agent builds them: in list order, no masking of an address."""
    expressions: list[Expression] = []
    for entry in rule["match"]:
        if "proto" in entry:
            expressions += [("meta", "l4proto"), ("cmp", "eq", entry["proto"]["value"])]
        if "ip" in entry:
            value = entry["ip"]["value"]
            expressions.append(("payload", {"src": 12, "dst": 16}[entry["ip"]["position"]]))
            if value.startswith("@"):
                expressions.append(("lookup", value[1:], entry["op"] == "neq"))
            else:
                address, _, prefix = value.partition("/")
                if prefix:
                    expressions.append(("bitwise", prefix))
                kind = "range" if "-" in value else "cmp"
                expressions.append((kind, entry["op"], address))
        if "port" in entry:
            first, _, last = entry["port"]["value"].partition("-")
            expressions.append(("payload", {"src": "th+0", "dst": "th+2"}[entry["port"]["position"]]))
            # a range ignores op
            expressions += [("cmp", "gte", first), ("cmp", "lte", last)] if last else [("cmp", entry["op"], first)]
        if "ctstate" in entry:
            expressions.append(("ct", "state"))
            expressions.append(("bitwise", tuple(sorted(entry["ctstate"]["value"]))))
            expressions.append(("cmp", {"eq": "neq", "neq": "eq"}[entry["op"]], 0))
    return [*expressions, ("verdict", rule["action"])]


def equal(current: list[Expression], new: list[Expression]) -> bool:
    """The agent's comparison: as many expressions, and each of the current ones somewhere among the new."""
    return len(current) == len(new) and all(expression in new for expression in current)


def _clean(table: KernelTable, wanted: Object) -> None:
    chains = {chain["name"]: chain for chain in wanted["chains"]}
    for name, chain in list(table.chains.items()):
        if name not in chains or chain.attributes != _attributes(chains[name]):
            del table.chains[name]
            continue
        rules = {rule["name"]: compiled(rule) for rule in chains[name]["rules"]["filterRules"]}
        chain.rules = [
            rule for rule in chain.rules if rule.comment in rules and equal(rule.expressions, rules[rule.comment])
        ]
    sets = {held["name"]: [element["key"] for element in held["elements"]] for held in wanted["sets"]}
    for name, elements in list(table.sets.items()):
        if name not in sets:
            del table.sets[name]
        elif len(elements) != len(sets[name]) or any(key not in elements for key in sets[name]):
            table.sets[name] = _installed(name, sets[name])


def _add(table: KernelTable, wanted: Object) -> None:
    for held in wanted["sets"]:
        if held["name"] not in table.sets:
            table.sets[held["name"]] = _installed(held["name"], [element["key"] for element in held["elements"]])
    for chain in wanted["chains"]:
        here = table.chains.setdefault(chain["name"], KernelChain(_attributes(chain)))
        present = {rule.comment for rule in here.rules}
        here.rules += [
            KernelRule(rule["name"], compiled(rule))
            for rule in chain["rules"]["filterRules"]
            if rule["name"] not in present
        ]


def _attributes(chain: Object) -> tuple[str, str, int, str]:
    return chain["type"], chain["hook"], chain["priority"], chain["policy"]


def _installed(name: str, keys: list[str]) -> set[str]:
    """What arrives of a list of elements: all go into one netlink attribute, whose 16-bit length wraps."""
    if len(keys) in (4096, 4097):
        raise KernelError(f"set {name}: ENOENT")
    return set(keys) if len(keys) < 4096 else set(keys[: len(keys) % 4096])
