"""The sets of a table: the name of a party's set, and the shards of sets that are too large for the agent."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import ChainElementRow
from liqo_connectivity.chains.limits import MAX_SET_ELEMENTS
from liqo_connectivity.chains.model import Set
from liqo_connectivity.chains.values import IPV6, Address, Family, address, party_name, word

Party: TypeAlias = tuple[str, str]
"""kind and name, as in the columns of chain_set and chain_element"""

KINDS: Final[Mapping[str, str]] = {
    kind: kind for kind in ("block", "gathered", "group", "namespace", "pods", "scope", "scoped")
}

_DIGITS: Final = 16
"""Hexadecimal digits of the hash in the name of such a set. Two parties with one hash are a ChainError."""
HASHED: Final = ("block", "pods")
"""The kinds of parties whose names are any text: CIDRs with exceptions, and selections of pods."""
_FIRST_OF_IPV6: Final = Address(IPV6, "")


def set_base(where: str, kind: str, name: str) -> str:
    """The name that the sets of a party share: ``<kind>.<name>`` with ``_`` for ``-``.

    Injective: neither a kind nor a name holds a dot or a ``_``, so the dots still separate kind, name and shard, and
    ``-`` is the only letter that becomes ``_``. Liqo's CRD refuses ``-`` in a set name. The names of HASHED
    kinds are any text, which becomes its hash. Raises ChainError for a kind that is not in KINDS and for a name of another kind
    outside ``[a-z0-9-]{1,63}``.
    """
    word(where, "party kind", kind, KINDS)
    if kind in HASHED:
        return f"{kind}.{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"
    party_name(where, name)
    return f"{kind}.{name.replace('-', '_')}"


def party_of(set_name: str, parties: Iterable[Party]) -> Party | None:
    """The party that a set holds addresses of, None if it is of none of these."""
    base = set_name.rpartition(".")[0]
    return next((party for party in sorted(parties) if set_base("", *party) == base), None)


class Elements:
    """The addresses of one party, unique and in numeric order, kept so as they come and go.

    A value that is not an address is kept apart until it goes: ``ordered`` refuses it.
    """

    __slots__ = ("_ordered", "_refused")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._ordered: list[Address] = []
        self._refused: set[str] = set()
        for value in set(values):
            parsed = self._parse(value)
            if parsed is not None:
                self._ordered.append(parsed)
        self._ordered.sort()

    def add(self, value: str) -> None:
        """Take an address, unless it is there."""
        parsed = self._parse(value)
        if parsed is not None and not self._has(parsed):
            insort(self._ordered, parsed)

    def discard(self, value: str) -> None:
        """Leave an address out, if it is there."""
        parsed = self._parse(value)
        self._refused.discard(value)
        if parsed is not None and self._has(parsed):
            del self._ordered[bisect_left(self._ordered, parsed)]

    def ordered(self, where: str) -> list[Address]:
        """The addresses, not to be changed; raises ChainError, naming the value, for what is not an address."""
        for value in sorted(self._refused):
            address(where, value)
        return self._ordered

    def of_family(self, where: str, family: Family) -> list[Address]:
        """Those of one family, not to be changed; raises as ``ordered``."""
        ordered = self.ordered(where)
        if not ordered or ordered[0].family == ordered[-1].family:
            return ordered if ordered and ordered[0].family == family else []
        first = bisect_left(ordered, _FIRST_OF_IPV6)
        return ordered[:first] if family == "ip" else ordered[first:]

    def _has(self, parsed: Address) -> bool:
        place = bisect_left(self._ordered, parsed)
        return place < len(self._ordered) and self._ordered[place] == parsed

    def _parse(self, value: str) -> Address | None:
        try:
            return address("", value)
        except ChainError:
            self._refused.add(value)
            return None


def by_party(rows: Iterable[ChainElementRow]) -> dict[Party, Elements]:
    """The elements of each party of one peering."""
    held: defaultdict[Party, list[str]] = defaultdict(list)
    for _, kind, name, value in rows:
        held[kind, name].append(value)
    return {party: Elements(values) for party, values in held.items()}


def shards(
    peering: str, parties: Iterable[Party], elements: Mapping[Party, Elements], family: Family
) -> dict[Party, tuple[Set, ...]]:
    """The sets of every party of one peering, sorted by party: ``<base>.0``, ``<base>.1`` …; the first is always there.

    Elements of other parties and of the other family are not used. Addresses are unique, in numeric order,
    MAX_SET_ELEMENTS to a set but for the last. A new address may therefore move others from one shard to the next; the
    agent changes all sets of an object in one transaction, so no address is ever in none. Raises ChainError, naming the
    party and the value, for what is not an address.
    """
    made: dict[Party, tuple[Set, ...]] = {}
    for party in sorted(set(parties)):
        where = party_text(peering, party)
        base = set_base(where, *party)
        held = elements.get(party)
        made[party] = _split(base, held.of_family(where, family) if held is not None else [])
    return made


def party_text(peering: str, party: Party) -> str:
    """A party, for an error message."""
    return f"peering {peering}, party {'/'.join(party)!r}"


def _split(base: str, addresses: list[Address]) -> tuple[Set, ...]:
    starts = range(0, max(len(addresses), 1), MAX_SET_ELEMENTS)
    return tuple(
        Set(f"{base}.{shard}", tuple(addresses[start : start + MAX_SET_ELEMENTS])) for shard, start in enumerate(starts)
    )
