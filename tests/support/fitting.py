"""Whether what is derived for a cluster fits: a chain that a real kernel loads in every way, or a policy that is pending."""

import json
from dataclasses import dataclass

from liqo_connectivity import chains
from liqo_connectivity.chains.batch_size import batch_bytes
from liqo_connectivity.chains.limits import MAX_BATCH_BYTES, MAX_CHAIN_RULES
from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from tests.support import netlink_agent, nft
from tests.support.clusters import RENDERED, base_of, solve
from tests.support.descriptions import Cluster
from tests.support.manifests import objects

_PART = 60_000
"""Characters of JSON that nft sends in one transaction with the buffers that it has in a user namespace."""
GOALS = (*RENDERED, "pending", "too_large", "rules_before", "batch_bytes", "bytes_before", "drafted")


@dataclass(frozen=True)
class Fit:
    """``wrong`` says what does not hold; ``loaded`` and ``refused`` count policies."""

    wrong: tuple[str, ...]
    loaded: int
    refused: int


def fit(described: Cluster) -> Fit:
    """Load the chains of a cluster into a kernel with nft and as Liqo's agent does, and check what is said not to fit."""
    return fit_of(base_of(objects(described)))


def fit_of(base: FactBase) -> Fit:
    """The same for objects that were read."""
    model = solve(base, GOALS)
    tables = chains.assemble(chains.Layout.from_relations({name: model.rows(name) for name in RENDERED}))
    wrong: list[str] = []
    for table in tables:
        rules = max(_numbers(model, "rules_before", table.peering))
        (size,) = _numbers(model, "batch_bytes", table.peering)
        if rules != len(table.chains[0].rules):
            wrong.append(f"{table.peering}: {rules} rules are derived, and {len(table.chains[0].rules)} written")
        if size != batch_bytes(table):
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
        wanted = [rule.name for rule in table.chains[0].rules]
        listings = (outcome["listing"], _loaded(table))
        if any([rule["comment"] for rule in nft.objects(listing, "rule")] != wanted for listing in listings):
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
    return Fit(tuple(wrong), len(tables), len(pending))


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
