"""A table of which only elements change equals one that is written whole, or is known to need that."""

from collections import Counter
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import liqo_connectivity.chains.sets as chain_sets
from liqo_connectivity.chains import (
    ChainError,
    Elements,
    Layout,
    Party,
    Table,
    assemble_one,
    fill_template,
    firewall_object,
    firewall_template,
    with_elements,
)
from liqo_connectivity.chains.values import Family
from tests.support.chain_layouts import ADDRESSES, ADDRESSES6, Relations, random_relations
from tests.support.seeds import examples


def held(made: Relations, peering: str) -> dict[Party, list[str]]:
    found: dict[Party, list[str]] = {}
    for at, kind, name, address in made["chain_element"]:
        if at == peering:
            found.setdefault((kind, name), []).append(address)
    return found


def table_of(layout: Layout, elements: dict[Party, list[str]]) -> Table:
    return assemble_one(layout, {party: Elements(values) for party, values in elements.items()})


def test_other_elements_make_the_table_that_assembling_makes() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples(300), deadline=None)
    @given(made=random_relations(), data=st.data())
    def check(made: Relations, data: st.DataObject) -> None:
        for peering, layout in Layout.from_relations(made).by_peering().items():
            before = held(made, peering)
            after = dict(before)
            for party in data.draw(st.sets(st.sampled_from(sorted(before)), max_size=2)) if before else ():
                # As many others, or any number: the former leave every set as full as it was.
                others = data.draw(st.permutations(ADDRESSES))
                after[party] = others[: data.draw(st.sampled_from([len(before[party]), 0, 1, 5]))]
            first, wanted = table_of(layout, before), table_of(layout, after)
            parties = {(row[3], row[4]) for row in layout.chain_set}
            found = with_elements(first, parties, {party: Elements(values) for party, values in after.items()})
            if found is None:
                seen["rewritten"] += 1
                assert wanted.sets != first.sets
            else:
                seen["kept"] += found != first
                assert found == wanted
                assert fill_template(firewall_template(first), found.sets) == firewall_object(found)

    with pytest.MonkeyPatch.context() as patch:
        # small shards, so that a group of the small universe needs several
        patch.setattr(chain_sets, "MAX_SET_ELEMENTS", 2)
        check()
    assert seen["rewritten"]
    assert seen["kept"]


def test_an_outline_is_filled_with_its_own_sets_only() -> None:
    layout = Layout(
        base_chain=(("milan", "liqo-tenant-milan", "p"),),
        chain_rule=(("milan", 0, "rule", 0, "drop"),),
        chain_set=(("milan", 0, "source", "group", "vc-local"),),
        chain_any=(("milan", 0, "destination"),),
    )
    table = assemble_one(layout, {})
    with pytest.raises(ValueError, match="shorter"):
        fill_template(firewall_template(table), ())
    other = assemble_one(
        Layout(
            base_chain=layout.base_chain,
            chain_rule=layout.chain_rule,
            chain_set=(("milan", 0, "source", "group", "vc-remote"),),
            chain_any=layout.chain_any,
        ),
        {},
    )
    with pytest.raises(ValueError, match=r"group\.vc_remote\.0 is given for group\.vc_local\.0"):
        fill_template(firewall_template(table), other.sets)


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([*ADDRESSES[:5], *ADDRESSES6[:5], "::", "localhost", "fd00::1%a"]))
    )
)
def test_elements_of_each_family_are_those_that_came_and_did_not_go(changes: list[tuple[bool, str]]) -> None:
    elements, expected = Elements(), set[str]()
    for comes, value in changes:
        (elements.add if comes else elements.discard)(value)
        (expected.add if comes else expected.discard)(value)
    if expected & {"localhost", "fd00::1%a"}:
        with pytest.raises(ChainError, match="is not an IP address"):
            elements.of_family("here", "ip6")
        return
    families: tuple[tuple[Family, int], ...] = (("ip", 4), ("ip6", 6))
    for family, version in families:
        wanted = sorted(each for each in map(ip_address, expected) if each.version == version)
        assert [each.text for each in elements.of_family("here", family)] == list(map(str, wanted))
