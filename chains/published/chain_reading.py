"""Reads a ConnectivityChain: rules and names are as strictly checked as if anybody could have written them."""

import re
from collections.abc import Mapping
from typing import Final

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.limits import (
    MAX_CLUSTER_ID,
    MAX_NFT_RULES,
    MAX_PORT,
    MAX_REVISION,
    MAX_RULE_NAME,
    MAX_SET_NAME,
    MAX_SETS,
    MAX_SLICES,
)
from liqo_connectivity.chains.matches import (
    ICMP6_TYPES,
    PROTOCOLS,
    STATES,
    CidrMatch,
    Icmp6Match,
    Match,
    PortMatch,
    PortRange,
    Protocol,
    SetMatch,
    Side,
    StateMatch,
)
from liqo_connectivity.chains.model import VERDICTS, Chain, NftRule, Set, Table
from liqo_connectivity.chains.names import Draft, Origin, label_of
from liqo_connectivity.chains.names import named as named_rules
from liqo_connectivity.chains.positions import ORIGINS
from liqo_connectivity.chains.published.fields import Place, fields, items, placed, text, truth, whole, word
from liqo_connectivity.chains.published.metadata import MAX_NAME, check_hash, named, read_metadata
from liqo_connectivity.chains.published.model import CHAIN, FAMILIES, PublishedChain, SliceReference
from liqo_connectivity.chains.published.slice_object import SET_NAME
from liqo_connectivity.chains.values import Family, cidr

MAX_CIDRS: Final = 4_096
"""CIDRs of one side of a rule, of one list."""
_LABEL: Final = re.compile(r"established|neighbours|guard|default|rule-(0|[1-9][0-9]{0,8})")
_RULE_NAME: Final = re.compile(rf"r[0-9]{{3,5}}-({_LABEL.pattern})-[0-9a-f]{{12}}")
_COUNTER: Final = re.compile(rf"({_LABEL.pattern})-[0-9a-f]{{8}}")
_PROTOCOLS: Final[Mapping[str, Protocol]] = {name.upper(): protocol for name, protocol in PROTOCOLS.items()}


def read_chain(value: object) -> PublishedChain:
    """The chain that an object holds. Raises ChainError, naming the object and the field, for anything that is not one.

    Each rule's name has to be the one that its place and its matches give it, and the hash that of the spec: so a rule that is
    missing, altered or moved is an error.
    """
    place, namespace, name, spec = read_metadata(value, CHAIN)
    known = ("peering", "policy", "revision", "hash", "counters", "tables", "slices")
    found = fields(place, spec, known)
    peering = named(place.at("peering"), found["peering"], MAX_CLUSTER_ID)
    if peering != name:
        raise place.at("peering").error(f"{peering} is not the name of the object")
    policy = named(place.at("policy"), found["policy"], MAX_NAME)
    revision = whole(place.at("revision"), found["revision"], 1, MAX_REVISION)
    counters = _counters(place.at("counters"), found["counters"])
    families = items(place.at("tables"), found["tables"], len(FAMILIES), len(FAMILIES))
    tables: list[AgentTable] = []
    for (at, given), (family_name, family) in zip(families, FAMILIES.items(), strict=True):
        table = fields(at, given, ("family", "present", "sets", "rules"))
        word(at.at("family"), table["family"], {family_name: family})
        chains, sets = _chains(at, table, family, counters), _sets(at.at("sets"), table["sets"])
        with placed(at):
            made = Table(peering, namespace, f"{namespace}/{policy}", chains, sets, family)
        if not chains and sets:
            raise at.at("sets").error("a table that is to go has sets")
        tables.append(AgentTable(made, counters))
    references = tuple(_reference(*each) for each in items(place.at("slices"), found["slices"], MAX_SLICES))
    names = [each.name for each in references]
    if names != sorted(set(names)):
        raise place.at("slices").error("the slices are not sorted by name, each once")
    check_hash(place, found)
    with placed(place):
        return PublishedChain((tables[0], tables[1]), revision, references)


def _counters(place: Place, value: object) -> dict[str, str]:
    counters: dict[str, str] = {}
    for at, given in items(place, value, MAX_NFT_RULES):
        found = fields(at, given, ("rule", "name"))
        label = text(at.at("rule"), found["rule"], _LABEL, MAX_RULE_NAME)
        name = text(at.at("name"), found["name"], _COUNTER, MAX_RULE_NAME)
        if label in counters or name.rpartition("-")[0] != label:
            raise at.error(f"the counters of {label} are named twice, or for another rule")
        counters[label] = name
    return counters


def _chains(
    place: Place, table: Mapping[str, object], family: Family, counters: Mapping[str, str]
) -> tuple[Chain, ...]:
    given = items(place.at("rules"), table["rules"], MAX_NFT_RULES)
    if not truth(place.at("present"), table["present"]):
        if given:
            raise place.at("rules").error("a table that is to go has rules")
        return ()
    rules = [_rule(at, each, family) for at, each in given]
    drafts: list[Draft] = []
    for (at, _), rule in zip(given, rules, strict=True):
        label = label_of(rule.name)
        if label not in counters:
            raise at.at("name").error(f"there are no counters for {label}")
        drafts.append(_draft(label, rule))
    for (at, _), rule, made in zip(given, rules, named_rules(drafts), strict=True):
        if made.name != rule.name:
            raise at.at("name").error(f"{rule.name} is not {made.name}: this rule or one before it was altered or lost")
    with placed(place.at("rules")):
        return (Chain(tuple(rules)),)


def _draft(label: str, rule: NftRule) -> Draft:
    origin, _, number = label.partition("-")
    at: Origin = ORIGINS[origin]
    return Draft(at, int(number or 0), rule.matches, rule.verdict)


def _rule(place: Place, value: object, family: Family) -> NftRule:
    required = ("name", "verdict", "source", "destination")
    found = fields(place, value, required, ("states", "icmpv6Types", "protocol", "ports"))
    name = text(place.at("name"), found["name"], _RULE_NAME, MAX_RULE_NAME)
    verdict = word(place.at("verdict"), found["verdict"], VERDICTS)
    with placed(place):
        matches = [
            *_words(place, found),
            *_ends(place.at("source"), found["source"], "source"),
            *_ends(place.at("destination"), found["destination"], "destination"),
            *_port_match(place, found),
        ]
        return NftRule(name, tuple(matches), verdict)


def _words(place: Place, found: Mapping[str, object]) -> list[Match]:
    matches: list[Match] = []
    if "states" in found:
        states = items(place.at("states"), found["states"], len(STATES), 1)
        matches.append(StateMatch(tuple(word(at, each, STATES) for at, each in states)))
    if "icmpv6Types" in found:
        types = items(place.at("icmpv6Types"), found["icmpv6Types"], len(ICMP6_TYPES), 1)
        matches.append(Icmp6Match(tuple(word(at, each, ICMP6_TYPES) for at, each in types)))
    return matches


def _ends(place: Place, value: object, side: Side) -> list[Match]:
    found = fields(place, value, (), ("any", "cidrs", "set"))
    if len(found) != 1:
        raise place.error("needs exactly one of any, cidrs and set")
    if "any" in found:
        if found["any"] is not True:
            raise place.at("any").error("is not true")
        return []
    if "set" in found:
        return [SetMatch(side, text(place.at("set"), found["set"], SET_NAME, MAX_SET_NAME))]
    networks = [
        cidr(f"{at.object}: {at.path}", each if isinstance(each, str) else repr(each))
        for at, each in items(place.at("cidrs"), found["cidrs"], MAX_CIDRS, 1)
    ]
    return [CidrMatch(side, tuple(networks))]


def _port_match(place: Place, found: Mapping[str, object]) -> list[PortMatch]:
    if "protocol" not in found:
        if "ports" in found:
            raise place.at("ports").error("needs a protocol")
        return []
    protocol = word(place.at("protocol"), found["protocol"], _PROTOCOLS)
    ranges: list[PortRange] = []
    for at, given in items(place.at("ports"), found.get("ports", []), MAX_PORT, int("ports" in found)):
        ports = fields(at, given, ("port",), ("endPort",))
        first = whole(at.at("port"), ports["port"], 0, MAX_PORT)
        last = whole(at.at("endPort"), ports["endPort"], first + 1, MAX_PORT) if "endPort" in ports else first
        ranges.append((first, last))
    return [PortMatch(protocol, tuple(ranges))]


def _sets(place: Place, value: object) -> tuple[Set, ...]:
    return tuple(Set(text(at, each, SET_NAME, MAX_SET_NAME), ()) for at, each in items(place, value, MAX_SETS))


def _reference(place: Place, value: object) -> SliceReference:
    found = fields(place, value, ("name", "revision"))
    name = named(place.at("name"), found["name"], MAX_NAME)
    return SliceReference(name, whole(place.at("revision"), found["revision"], 1, MAX_REVISION))
