"""The desired FirewallConfiguration of each peering, made from the tuples that rules derive for its chain.

The elements of sets are kept sorted as they come and go, because a cluster changes pod by pod and an object holds tens of
thousands of them. The result is what ``render`` writes for the same facts, byte for byte.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, cast

from liqo_connectivity import chains
from liqo_connectivity.engine import Delta, Row
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, Counts, digest_with, rules_digest, without

ELEMENTS: Final = ("chain_element", "chain_gathered")
FEW: Final = tuple(name for name in chains.COLUMNS if name not in ELEMENTS)
"""The relations of a chain that are as small as its policy."""

_Element = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class DesiredFirewall:
    """A FirewallConfiguration to be stored: as ``render`` writes it, or as a stand-in, with its size.

    ``digest`` is that of its spec, ``rules`` its ``rules_digest``, which a stand-in shares.
    """

    key: ObjectKey
    body: chains.FirewallConfiguration
    digest: str
    rules: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stays of a desired object while only elements change: its table and parties, its template and spec as text."""

    table: chains.Table
    parties: tuple[chains.Party, ...]
    template: chains.FirewallTemplate
    text: str
    rules: str
    count: int


class DesiredFirewalls:
    """The tuples of every chain by peering, kept up to date with the changes of the database."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, bool], _Frame] = {}
        self._few: defaultdict[str, dict[str, set[Row]]] = defaultdict(lambda: {name: set() for name in FEW})
        self._elements: defaultdict[str, dict[chains.Party, chains.Elements]] = defaultdict(dict)

    def follow(self, delta: Delta) -> dict[str, int]:
        """Take over what changed; the peerings whose chain changed, each with roughly the number of pods, at least 1.

        A pod that moves brings an address and takes one away.
        """
        changed: set[str] = set()
        went: defaultdict[str, set[str]] = defaultdict(set)
        came: defaultdict[str, set[str]] = defaultdict(set)
        for name in FEW:
            if name not in delta.changes:
                continue
            removed, added = delta[name]
            for row in removed:
                self._few[str(row[0])][name].discard(row)
                changed.add(str(row[0]))
            for row in added:
                self._few[str(row[0])][name].add(row)
                changed.add(str(row[0]))
        changes = [cast("tuple[tuple[_Element, ...], tuple[_Element, ...]]", delta[name]) for name in ELEMENTS]
        for peering, kind, name, address in chain.from_iterable(gone for gone, _ in changes):
            self._elements[peering][kind, name].discard(address)
            went[peering].add(address)
        for peering, kind, name, address in chain.from_iterable(new for _, new in changes):
            parties = self._elements[peering]
            elements = parties.get((kind, name))
            if elements is None:
                elements = parties[kind, name] = chains.Elements()
            elements.add(address)
            came[peering].add(address)
        for peering in changed:
            for standin in (False, True):
                self._frames.pop((peering, standin), None)
            if not any(self._few[peering].values()):
                del self._few[peering]
        return {
            peering: max(1, len(went.get(peering, ())), len(came.get(peering, ())))
            for peering in changed | went.keys() | came.keys()
        }

    def peerings(self) -> list[str]:
        """The peerings that have a chain, sorted."""
        return sorted(peering for peering, rows in self._few.items() if rows["base_chain"])

    def firewall(self, peering: str, *, standin: bool = False) -> DesiredFirewall:
        """The object of a peering that has a chain, or its stand-in. Raises ChainError: then what is stored has to stay."""
        frame = self._frames.get((peering, standin))
        elements = self._elements.get(peering, {})
        table = chains.with_elements(frame.table, frame.parties, elements) if frame is not None else None
        if frame is None or table is None:
            frame = self._frame(peering, elements, standin=standin)
            table = frame.table
        # With the current elements, so that no earlier ones are kept.
        self._frames[peering, standin] = replace(frame, table=table)
        body = chains.fill_template(frame.template, table.sets)
        key = ObjectKey(FIREWALL, body["metadata"]["namespace"], body["metadata"]["name"])
        held = [[element.text for element in each.elements] for each in table.sets]
        members = len(set(chain.from_iterable(held)))
        found = digest_with(frame.text, dict(enumerate(held)))
        return DesiredFirewall(key, body, found, frame.rules, Counts(frame.count, members))

    def _frame(self, peering: str, elements: Mapping[chains.Party, chains.Elements], *, standin: bool) -> _Frame:
        rows: Mapping[str, set[Row]] = self._few.get(peering, {name: set[Row]() for name in FEW})
        layout = chains.Layout.from_relations({**rows, **dict.fromkeys(ELEMENTS, ())})
        table = replace(chains.assemble_one(layout, elements), standin=standin)
        template = chains.firewall_template(table)
        return _Frame(
            table=table,
            parties=tuple(chains.parties(layout)),
            template=template,
            text=without(template.made["spec"], range(len(table.sets))),
            rules=rules_digest(template.made["spec"]),
            count=sum(origin == "rule" for _, _, origin, _, _ in layout.chain_rule),
        )
