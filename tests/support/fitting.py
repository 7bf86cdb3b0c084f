"""Whether what is derived for a cluster fits: a chain that a real kernel loads in every way, or a policy that is pending."""

import json
from collections import Counter
from dataclasses import dataclass

from liqo_connectivity import chains
from liqo_connectivity.chains import batch_size
from liqo_connectivity.chains.batch_size import batch_bytes
from liqo_connectivity.chains.limits import MAX_BATCH_BYTES, MAX_CHAIN_RULES, MAX_GUARD_CIDRS, MAX_SET_ELEMENTS
from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from tests.support import netlink_agent, nft
from tests.support.clusters import RENDERED, base_of, solve
from tests.support.descriptions import Cluster
from tests.support.manifests import objects

_PART = 60_000
"""Characters of JSON that nft sends in one transaction with the buffers that it has in a user namespace."""
GOALS = (
    *RENDERED,
    "pending",
    "too_large",
    "rules_before",
    "batch_bytes",
    "bytes_before",
    "drafted",
    "part_size",
    "split_bytes",
    "split_batch_bytes",
)


@dataclass(frozen=True)
class Fit:
    """``wrong`` says what does not hold; ``loaded`` and ``refused`` count policies, and ``split`` those in parts."""

    wrong: tuple[str, ...]
    loaded: int
    refused: int
    split: int = 0


def fit(described: Cluster) -> Fit:
    """Load the chains of a cluster into a kernel with nft and as Liqo's agent does, and check what is said not to fit."""
    return fit_of(base_of(objects(described)))


def fit_of(base: FactBase) -> Fit:
    """The same for objects that were read."""
    model = solve(base, GOALS)
    tables = chains.assemble(chains.Layout.from_relations({name: model.rows(name) for name in RENDERED}))
    wrong: list[str] = []
    for table in tables:
        derived, size = _derived(model, table.peering)
        if derived != (written := {chain.name: len(chain.rules) for chain in table.chains}):
            wrong.append(f"{table.peering}: {derived} rules are derived, and {written} written")
        if not 0 <= size - batch_bytes(table) <= _gaps(model, table.peering):
            wrong.append(
                f"{table.peering}: a batch of {size} bytes is derived, and one of {batch_bytes(table)} counted"
            )
        spec = json.loads(chains.firewall_json([table]))["items"][0]["spec"]
        sent = len(netlink_agent.installed(spec["table"]))
        if not sent <= size <= MAX_BATCH_BYTES:
            wrong.append(f"{table.peering}: {sent} bytes are sent, {size} counted, and {MAX_BATCH_BYTES} fit")
        (outcome,) = netlink_agent.applied([spec])
        if outcome["errors"] != ["", ""]:
            wrong.append(f"{table.peering}: Liqo's agent fails: {outcome['errors']}")
        wanted = {chain.name: [rule.name for rule in chain.rules] for chain in table.chains}
        if any(_rules(listing) != wanted for listing in (outcome["listing"], _loaded(table))):
            wrong.append(f"{table.peering}: the kernel does not hold the rules that were written")
    pending = {policy for policy, reason, *_ in model.rows("pending") if reason == "TooLarge"}
    if pending != {row[0] for row in model.rows("too_large")}:
        wrong.append("what is too large is not what is pending")
    for policy, field, many, unit, most, cure in model.rows("too_large"):
        (peering,) = (str(peering) for peering, drafted in model.rows("drafted") if drafted == policy)
        if (
            not int(many) > int(most)
            or not field
            or not cure
            or unit not in ("rules of nftables", "kB in one netlink batch")
        ):
            wrong.append(f"{policy}: {many} {unit} do not fit, {most} would")
        if peering in {table.peering for table in tables}:
            wrong.append(f"{policy}: it is too large, and has a chain")
        rules = max(_numbers(model, "rules_before", peering))
        size = max([*_numbers(model, "batch_bytes", peering), *_numbers(model, "bytes_before", peering)])
        if rules <= MAX_CHAIN_RULES and size <= MAX_BATCH_BYTES:
            wrong.append(f"{policy}: at most {rules} rules and {size} bytes, and yet too large")
        if any(parts <= MAX_BATCH_BYTES for parts in _numbers(model, "split_batch_bytes", peering)):
            wrong.append(f"{policy}: it fits in parts, and yet is too large")
    return Fit(tuple(wrong), len(tables), len(pending), sum(table.chains[0].name != "connectivity" for table in tables))


def _derived(model: Model, peering: str) -> tuple[dict[str, int], int]:
    """The derived number of rules of each base chain of a peering, and the bytes of the batch that installs them."""
    parts = {str(part) for held, part in model.rows("chain_part") if held == peering}
    if not parts:
        (size,) = _numbers(model, "batch_bytes", peering)
        return {"connectivity": max(_numbers(model, "rules_before", peering))}, size
    (size,) = _numbers(model, "split_batch_bytes", peering)
    rules = {str(row[2]): int(row[3]) for row in model.rows("part_size") if row[0] == peering and row[2] in parts}
    for _, part, _, _, kind, name in (row for row in model.rows("chain_part_set") if row[0] == peering):
        if kind == "gathered":
            # A set that is full is one more rule.
            elements = sum(row[:3] == (peering, kind, name) for row in model.rows("chain_gathered"))
            rules[str(part)] += max(elements - 1, 0) // MAX_SET_ELEMENTS
    return rules, size


def _gaps(model: Model, peering: str) -> int:
    """The bytes of the gaps between remote CIDRs in guards of parts, which are counted as if none were empty."""
    outside = Counter(row[1:3] for row in model.rows("chain_part_outside") if row[0] == peering)
    return sum(count + 1 + count // MAX_GUARD_CIDRS for count in outside.values()) * batch_size.RANGE_OF_ADDRESSES


def _rules(listing: nft.Listing) -> dict[str, list[str]]:
    """The comments of the rules of each chain in a listing."""
    found: dict[str, list[str]] = {chain["name"]: [] for chain in nft.objects(listing, "chain")}
    for rule in nft.objects(listing, "rule"):
        found[rule["chain"]].append(rule["comment"])
    return found


def _numbers(model: Model, relation: str, peering: str) -> list[int]:
    """The last column of the rows about a peering."""
    return [int(row[-1]) for row in model.rows(relation) if row[0] == peering]


def _loaded(table: chains.Table) -> nft.Listing:
    """Load a table with nft: as a script if it is small, else in parts, because a user namespace has no larger buffers."""
    if batch_bytes(table) < MAX_BATCH_BYTES // 2:
        return nft.load_script(chains.nft_script([table]))
    commands = chains.nft_transaction([table])["nftables"]
    assert isinstance(commands, list)
    parts: list[list[object]] = [[]]
    for command in commands:
        if len(json.dumps(parts[-1])) + len(json.dumps(command)) > _PART and parts[-1]:
            parts.append([])
        parts[-1].append(command)
    return nft.load_transaction(*(json.dumps({"nftables": part}) for part in parts))
