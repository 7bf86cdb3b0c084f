"""A chain as a ConnectivityChain: rules in order as data, names of sets and counters, references to slices."""

from typing import Final, Literal, NotRequired, TypedDict

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_OBJECT_BYTES
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, Match, PortMatch, PortRange, SetMatch, StateMatch
from liqo_connectivity.chains.model import Chain, NftRule
from liqo_connectivity.chains.published.metadata import Metadata, content_hash, size, written_metadata
from liqo_connectivity.chains.published.model import API_VERSION, CHAIN, FAMILIES, PublishedChain

FAMILY_NAMES: Final = {family: name for name, family in FAMILIES.items()}


class EndsField(TypedDict):
    """A side of a rule: exactly one of the three. ``any`` is written out, because what is absent was perhaps lost."""

    any: NotRequired[Literal[True]]
    cidrs: NotRequired[list[str]]
    set: NotRequired[str]


class PortField(TypedDict):
    """A port, or the first and the last of a range."""

    port: int
    endPort: NotRequired[int]


class RuleField(TypedDict):
    """A rule: everything that it names has to hold. The name holds a hash of it and of all rules before it."""

    name: str
    verdict: Literal["accept", "drop"]
    states: NotRequired[list[str]]
    icmpv6Types: NotRequired[list[str]]
    source: EndsField
    destination: EndsField
    protocol: NotRequired[str]
    ports: NotRequired[list[PortField]]


class TableField(TypedDict):
    """The table of a family. One that is not ``present`` is to go, and has no rules and no sets."""

    family: str
    present: bool
    sets: list[str]
    rules: list[RuleField]


class CounterField(TypedDict):
    """``rule``: where a rule comes from; ``name``: how the names of its counters begin."""

    rule: str
    name: str


class ReferenceField(TypedDict):
    """A slice, and the least revision of it that the chain may be used with."""

    name: str
    revision: int


class ChainContent(TypedDict):
    """The spec of a ConnectivityChain but for its hash. ``policy``: the PeeringConnectivity, in the same namespace."""

    peering: str
    policy: str
    revision: int
    counters: list[CounterField]
    tables: list[TableField]
    slices: list[ReferenceField]


class ChainSpec(ChainContent):
    """The spec of a ConnectivityChain. ``hash`` is over everything else, so what a server or an editor loses is noticed."""

    hash: str


class ChainObject(TypedDict):
    """A Kubernetes object, ready to be sent."""

    apiVersion: Literal["security.liqo.io/v1alpha1"]
    kind: Literal["ConnectivityChain"]
    metadata: Metadata
    spec: ChainSpec


def chain_object(chain: PublishedChain) -> ChainObject:
    """The object of a chain.

    Raises ChainError if it is larger than MAX_OBJECT_BYTES, or for a table that ``assemble_agent`` does not make.
    """
    table = chain.tables[0]
    namespace, _, policy = table.policy.rpartition("/")
    if namespace != chain.namespace:
        raise ChainError(f"{chain.where}: the policy {table.policy} is not in the namespace of the peering")
    content: ChainContent = {
        "peering": chain.peering,
        "policy": policy,
        "revision": chain.revision,
        "counters": [{"rule": label, "name": name} for label, name in sorted(table.counters.items())],
        "tables": [_table(chain.where, each) for each in chain.tables],
        "slices": [{"name": each.name, "revision": each.revision} for each in chain.slices],
    }
    spec: ChainSpec = {**content, "hash": content_hash(content)}
    if size(spec) > MAX_OBJECT_BYTES:
        raise ChainError(
            f"{chain.where} takes {size(spec)} bytes, more than the {MAX_OBJECT_BYTES} that fit; use fewer rules or CIDRs"
        )
    metadata = written_metadata(chain.namespace, chain.peering, chain.peering)
    return {"apiVersion": API_VERSION, "kind": CHAIN, "metadata": metadata, "spec": spec}


def _table(where: str, table: AgentTable) -> TableField:
    chains = table.table.chains
    if [(each.name, each.policy) for each in chains] not in ([], [(Chain(()).name, "accept")]):
        raise ChainError(f"{where}: an agent has one base chain in a table, which accepts what no rule matches")
    return {
        "family": FAMILY_NAMES[table.family],
        "present": not table.is_empty,
        "sets": [held.name for held in table.sets],
        "rules": [_rule(where, rule) for rule in table.rules],
    }


def _rule(where: str, rule: NftRule) -> RuleField:
    if list(rule.matches) != sorted(rule.matches, key=_rank) or len(set(map(_rank, rule.matches))) < len(rule.matches):
        raise ChainError(f"{where}: rule {rule.name} has two matches of one kind, or matches out of order")
    made: RuleField = {
        "name": rule.name,
        "verdict": rule.verdict,
        "source": {"any": True},
        "destination": {"any": True},
    }
    for match in rule.matches:
        match match:
            case StateMatch(states):
                made["states"] = list(states)
            case Icmp6Match(types):
                made["icmpv6Types"] = list(types)
            case CidrMatch(side, cidrs):
                made[side] = {"cidrs": list(map(str, cidrs))}
            case SetMatch(side, name):
                made[side] = {"set": name}
            case PortMatch(protocol, ranges):
                made["protocol"] = protocol.upper()
                if ranges:
                    made["ports"] = list(map(_port, ranges))
            case _:
                raise ChainError(f"{where}: rule {rule.name}: an agent has no match as {match}")
    return made


def _rank(match: Match) -> int:
    """The place of a match in a rule: state, types, source, destination, port."""
    match match:
        case StateMatch():
            return 0
        case Icmp6Match():
            return 1
        case PortMatch():
            return 4
        case _:
            return 2 if match.side == "source" else 3


def _port(ports: PortRange) -> PortField:
    first, last = ports
    return {"port": first} if first == last else {"port": first, "endPort": last}
