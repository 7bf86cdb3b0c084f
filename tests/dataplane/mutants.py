"""Rulesets with one mistake each, as a compiler could make it: what the harness has to notice.

A mutant is made of the transaction that is to be loaded, so it stands for a mistake anywhere before.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from ipaddress import ip_address, ip_network
from itertools import combinations
from random import Random
from typing import Any, Final, NamedTuple

Commands = list[dict[str, Any]]
PRIORITIES: Final = (0, 99, 101, 150)


class Mutant(NamedTuple):
    """A transaction with a mistake, and what kind of mistake."""

    kind: str
    commands: Commands


class _Maker:
    """Makes one mistake of each kind in a copy of a transaction. An operator gives False if there is nothing to get wrong."""

    def __init__(self, rng: Random, commands: Commands, addresses: Sequence[str], views: Mapping[str, str]) -> None:
        self._rng = rng
        self._commands = deepcopy(commands)
        self._addresses = addresses
        self._views = views

    def mutant(self, kind: str) -> Mutant | None:
        return Mutant(kind, self._commands) if OPERATORS[kind](self) else None

    # ---- Rules ----

    def swap_parties(self) -> bool:
        rule = self._chosen(self._rules(lambda rule: any(_sides(rule))))
        for payload in _sides(rule):
            payload["field"] = {"saddr": "daddr", "daddr": "saddr"}[payload["field"]]
        return rule is not None

    def drop_rule(self) -> bool:
        rule = self._chosen(self._rules())
        return rule is not None and self._remove(lambda body: body is rule)

    def reorder_rules(self) -> bool:
        """Two rules of a chain change places, of those with unlike verdicts if there are any: others may as well."""
        at = [n for n, each in enumerate(self._commands) if "rule" in each.get("add", ())]
        pairs = [(a, b) for a, b in combinations(at, 2) if self._place(a) == self._place(b)]
        unlike = [(a, b) for a, b in pairs if self._verdict(a) != self._verdict(b)]
        if not pairs:
            return False
        one, other = self._rng.choice(unlike or pairs)
        self._commands[one], self._commands[other] = self._commands[other], self._commands[one]
        return True

    def flip_verdict(self) -> bool:
        rule = self._chosen(self._rules())
        if rule is not None:
            rule["expr"][-1] = {"drop": None} if "accept" in rule["expr"][-1] else {"accept": None}
        return rule is not None

    def drop_established(self) -> bool:
        rule = self._chosen(self._rules(_has_state))
        return rule is not None and self._remove(lambda body: body is rule)

    def forget_state(self) -> bool:
        rule = self._chosen(self._rules(_has_state))
        if rule is not None:
            states = next(match["right"] for match in _matches(rule) if "ct" in match["left"])
            states.pop(self._rng.randrange(len(states)))
            if not states:
                return self._remove(lambda body: body is rule)
        return rule is not None

    def remove_guard(self) -> bool:
        """A side of a rule, or its ports, no longer matter."""
        rule = self._chosen(self._rules(lambda rule: len(rule["expr"]) > 1 and not _has_state(rule)))
        if rule is not None:
            rule["expr"].pop(self._rng.randrange(len(rule["expr"]) - 1))
        return rule is not None

    def narrow_guard(self) -> bool:
        """A side of a rule is one address only."""
        rule = self._chosen(self._rules(lambda rule: any(_sides(rule))))
        if rule is not None:
            match = self._rng.choice([match for match in _matches(rule) if _side(match)])
            match["right"] = self._rng.choice(self._of_family(rule["family"]))
        return rule is not None

    # ---- Values ----

    def wrong_view(self) -> bool:
        """A CIDR as the peer has it, in place of the one by which this cluster knows it, or the other way round."""
        found = [each for each in self._prefixes() if f"{each['addr']}/{each['len']}" in self._views]
        if found:
            prefix = self._rng.choice(found)
            other = ip_network(self._views[f"{prefix['addr']}/{prefix['len']}"])
            prefix["addr"], prefix["len"] = str(other.network_address), other.prefixlen
        return bool(found)

    def halve_cidr(self) -> bool:
        """A CIDR is one half of what it was."""
        found = [each for each in self._prefixes() if each["len"] < (32 if "." in each["addr"] else 128)]
        if found:
            prefix = self._rng.choice(found)
            half = self._rng.choice([*ip_network(f"{prefix['addr']}/{prefix['len']}").subnets()])
            prefix["addr"], prefix["len"] = str(half.network_address), half.prefixlen
        return bool(found)

    def halve_range(self) -> bool:
        """A range of addresses ends, or begins, in its middle."""
        ranges = [
            match["right"]["range"]
            for rule in self._rules()
            for match in _matches(rule)
            if _side(match) and isinstance(match["right"], dict) and "range" in match["right"]
        ]
        if ranges:
            ends = self._rng.choice(ranges)
            first, last = map(ip_address, ends)
            middle = str(first + (int(last) - int(first)) // 2)
            ends[self._rng.randrange(2)] = middle
        return bool(ranges)

    def move_port(self) -> bool:
        held = [(holder, key) for rule in self._rules() for match in _matches(rule) for holder, key in _ports(match)]
        if held:
            holder, key = self._rng.choice(held)
            holder[key] += self._rng.choice((-1, 1)) if 0 < holder[key] < 65535 else 0
        return bool(held)

    def lose_member(self) -> bool:
        body = self._chosen([body for kind, body in self._bodies() if kind == "element"])
        if body is not None:
            body["elem"].pop(self._rng.randrange(len(body["elem"])))
            if not body["elem"]:
                return self._remove(lambda each: each is body)
        return body is not None

    def gain_member(self) -> bool:
        held = self._chosen([body for kind, body in self._bodies() if kind == "set"])
        if held is not None:
            place = {key: held[key] for key in ("family", "table", "name")}
            made = {"add": {"element": place | {"elem": [self._rng.choice(self._of_family(held["family"]))]}}}
            at = next(n for n, each in enumerate(self._commands) if each.get("add", {}).get("set") is held)
            self._commands.insert(at + 1, made)
        return held is not None

    # ---- Tables ----

    def move_chain(self) -> bool:
        body = self._chosen([body for kind, body in self._bodies() if kind == "chain"])
        if body is not None:
            body["prio"] = self._rng.choice(PRIORITIES)
        return body is not None

    def forget_family(self) -> bool:
        families = sorted({body["family"] for kind, body in self._bodies() if kind == "rule"})
        if not families:
            return False
        gone = self._rng.choice(families)
        return self._remove(lambda body: body["family"] == gone)

    def forget_peering(self) -> bool:
        names = sorted({body["table"] for kind, body in self._bodies() if kind == "rule"})
        if not names:
            return False
        gone = self._rng.choice(names)
        return self._remove(lambda body: gone in (body.get("table"), body["name"] if "table" not in body else ""))

    def forget_part(self) -> bool:
        """One base chain of several in a table is not there."""
        names = [body["table"] for kind, body in self._bodies() if kind == "chain"]
        chains = [body for kind, body in self._bodies() if kind == "chain" and names.count(body["table"]) > 1]
        if not chains:
            return False
        gone = self._rng.choice(chains)
        there = gone["family"], gone["table"], gone["name"]
        return self._remove(
            lambda body: (body["family"], body.get("table"), body.get("chain", body.get("name"))) == there
        )

    # ---- What there is ----

    def _bodies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in self._commands:
            for way in ("add", "delete"):
                yield from each.get(way, {}).items()

    def _rules(self, wanted: Callable[[dict[str, Any]], bool] = lambda rule: True) -> list[dict[str, Any]]:
        return [body for kind, body in self._bodies() if kind == "rule" and wanted(body)]

    def _prefixes(self) -> list[dict[str, Any]]:
        found = [value for rule in self._rules() for match in _matches(rule) for value in _values(match["right"])]
        return [value["prefix"] for value in found if isinstance(value, dict) and "prefix" in value]

    def _of_family(self, family: str) -> list[str]:
        return [each for each in self._addresses if ip_address(each).version == (6 if family == "ip6" else 4)]

    def _place(self, at: int) -> tuple[str, str, str]:
        body = self._commands[at]["add"]["rule"]
        return body["family"], body["table"], body["chain"]

    def _verdict(self, at: int) -> dict[str, Any]:
        verdict: dict[str, Any] = self._commands[at]["add"]["rule"]["expr"][-1]
        return verdict

    def _chosen(self, found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        return self._rng.choice(found) if found else None

    def _remove(self, gone: Callable[[dict[str, Any]], bool]) -> bool:
        def goes(command: dict[str, Any]) -> bool:
            return any(gone(body) for way in ("add", "delete") for body in command.get(way, {}).values())

        self._commands = [each for each in self._commands if not goes(each)]
        return True


OPERATORS: Final[Mapping[str, Callable[[_Maker], bool]]] = {
    "parties swapped": _Maker.swap_parties,
    "rule dropped": _Maker.drop_rule,
    "rules reordered": _Maker.reorder_rules,
    "verdict flipped": _Maker.flip_verdict,
    "established dropped": _Maker.drop_established,
    "state forgotten": _Maker.forget_state,
    "guard removed": _Maker.remove_guard,
    "guard narrowed": _Maker.narrow_guard,
    "wrong CIDR view": _Maker.wrong_view,
    "CIDR halved": _Maker.halve_cidr,
    "range halved": _Maker.halve_range,
    "port off by one": _Maker.move_port,
    "member missing": _Maker.lose_member,
    "member extra": _Maker.gain_member,
    "wrong priority": _Maker.move_chain,
    "family forgotten": _Maker.forget_family,
    "peering forgotten": _Maker.forget_peering,
    "part forgotten": _Maker.forget_part,
}
"""The kinds of mistakes."""


def mutants(
    rng: Random, commands: Commands, addresses: Sequence[str], views: Mapping[str, str], each: int
) -> Iterator[Mutant]:
    """Some mutants of each kind. ``views`` are CIDRs that may be taken for each other."""
    for kind in OPERATORS:
        for _ in range(each):
            made = _Maker(rng, commands, addresses, views).mutant(kind)
            if made is not None and made.commands != commands:
                yield made


def _matches(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each["match"] for each in rule["expr"] if "match" in each]


def _has_state(rule: Mapping[str, Any]) -> bool:
    return any("ct" in match["left"] for match in _matches(rule))


def _side(match: Mapping[str, Any]) -> dict[str, Any] | None:
    payload: dict[str, Any] = match["left"].get("payload", {})
    return payload if payload.get("field") in ("saddr", "daddr") else None


def _sides(rule: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [payload for match in _matches(rule or {"expr": ()}) if (payload := _side(match))]


def _values(right: Any) -> list[Any]:
    found: list[Any] = right["set"] if isinstance(right, dict) and "set" in right else [right]
    return found


def _ports(match: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Where the numbers of a match's ports are held."""
    if match["left"].get("payload", {}).get("field") != "dport":
        return
    right = match["right"]
    held: list[tuple[Any, Any]] = [(match, "right")]
    if isinstance(right, dict) and "set" in right:
        held = [(right["set"], at) for at in range(len(right["set"]))]
    for holder, key in held:
        value = holder[key]
        if isinstance(value, dict):
            yield from ((value["range"], at) for at in (0, 1))
        else:
            yield holder, key
