"""Whether what policies say, what is stored for Liqo's agents and what a kernel has are the same, as data.

Each pair of neighbours is compared: the policy with the stored object, and that with the table of a kernel. Where nft itself
or an agent loads the chains there is no stored object, so the policy is compared with the kernel.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from liqo_connectivity import chains
from liqo_connectivity.chains import Difference, TableView
from liqo_connectivity.facts import FIREWALL_SUFFIX, OWNER_ANNOTATION

_RULE: Final = re.compile(r"r\d{3,}-(?:rule-(\d+)|(established|neighbours|guard|default))-[0-9a-f]{12}")


class Report(NamedTuple):
    """What one of Liqo's agents says of a stored object: the pod that it runs in, whether it applied it, and since when."""

    host: str
    applied: bool
    since: str


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A FirewallConfiguration: ``name`` is namespace/name, ``policy`` the one it is written for, ``since`` its last write.

    ``going`` says that it is being deleted.
    """

    name: str
    policy: str
    labels: Mapping[str, object]
    since: str
    going: bool
    reports: tuple[Report, ...]
    view: TableView

    @property
    def managed(self) -> bool:
        """Whether it says that it is ours."""
        return chains.LABELS.items() <= self.labels.items()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two places say of one table. ``wanted`` and ``found`` name the places, and ``since`` says when the wanted one was
    last written, empty if that is not known.

    ``waits`` is set where the table may differ: its policy is pending, so that the last enforced chain stays.
    """

    peering: str
    policy: str
    wanted: str
    found: str
    differences: tuple[Difference, ...]
    since: str = ""
    waits: bool = False


class Tables(NamedTuple):
    """What is compared. ``stored`` and ``listed`` are None if they are not known."""

    rendered: Sequence[chains.Table | chains.AgentTable]
    stored: Sequence[StoredTable] | None
    listed: Mapping[tuple[str, str], TableView] | None


def stored_table(value: Mapping[str, object]) -> StoredTable:
    """View a FirewallConfiguration in parsed form, of any writer."""
    fields = cast("Mapping[str, Any]", value)
    metadata = _fields(fields.get("metadata"))
    namespace = str(metadata.get("namespace", ""))
    owner = _fields(metadata.get("annotations")).get(OWNER_ANNOTATION)
    conditions = _fields(fields.get("status")).get("conditions")
    reports = [
        Report(str(each.get("host")), each.get("status") == "True", str(each.get("lastTransitionTime", "")))
        for each in map(_fields, _list(conditions))
        if each.get("type") == "Applied"
    ]
    return StoredTable(
        f"{namespace}/{metadata.get('name')}",
        f"{namespace}/{owner}" if owner else "",
        _fields(metadata.get("labels")),
        _last_write(metadata),
        "deletionTimestamp" in metadata,
        tuple(sorted(reports)),
        chains.view_spec(fields.get("spec")),
    )


def comparisons(tables: Tables, pending: Iterable[str]) -> list[Comparison]:
    """Compare every table of ours with its neighbour, sorted by peering, first what is stored.

    ``pending`` are policies without a chain now.
    """
    waiting = frozenset(pending)
    found: list[Comparison] = []
    if tables.stored is not None:
        found += _stored(tables.rendered, tables.stored, waiting)
    if tables.listed is not None:
        found += _listed(tables, waiting)
    return sorted(found, key=lambda each: each.peering)


def rule_index(difference: Difference) -> tuple[str, int] | None:
    """Give the origin of a rule, and its index in the policy if that is ``rule``; None if its name is not one of ours."""
    named = _RULE.fullmatch(difference.name)
    if named is None:
        return None
    return ("rule", int(named[1])) if named[1] else (str(named[2]), 0)


def _stored(
    rendered: Sequence[chains.Table | chains.AgentTable], stored: Sequence[StoredTable], waiting: frozenset[str]
) -> Iterator[Comparison]:
    left = {each.name: each for each in stored if each.managed or each.view.peering}
    for table in rendered:
        wanted = chains.view_table(table)
        name = f"{table.namespace}/{table.peering}{FIREWALL_SUFFIX}"
        match = left.pop(name, None)
        if match is None:
            missing = Difference("object", "missing", f"FirewallConfiguration {name}")
            yield Comparison(table.peering, table.policy, "the policy", "what is stored", (missing,))
            continue
        yield Comparison(
            table.peering,
            table.policy,
            "the policy",
            f"FirewallConfiguration {name}",
            (*_object(match, table), *chains.differences(wanted, match.view)),
            match.since,
        )
    for each in left.values():
        extra = Difference("object", "extra", f"FirewallConfiguration {each.name}")
        waits = each.policy in waiting
        yield Comparison(each.view.peering, each.policy, "the policies", "what is stored", (extra,), each.since, waits)


def _object(stored: StoredTable, table: chains.Table | chains.AgentTable) -> Iterator[Difference]:
    """What of an object besides its table keeps agents from applying it."""
    if stored.going:
        yield Difference("object", "changed", f"FirewallConfiguration {stored.name}", "it is being deleted")
    for label, value in chains.LABELS.items():
        if stored.labels.get(label) != value:
            yield Difference("label", "missing", label, value)
    if stored.view.key != (table.family, table.name):
        yield Difference("table", "changed", table.name, f"{stored.view.family} {stored.view.name}")


def _listed(tables: Tables, waiting: frozenset[str]) -> Iterator[Comparison]:
    """Compare a kernel with what it should have: what is stored, or else what is rendered."""
    left = dict(tables.listed or {})
    if tables.stored is not None:
        wanted = [
            (each.view, each.policy, f"FirewallConfiguration {each.name}", each.since)
            for each in tables.stored
            if each.managed and (each.view.chains or each.view.sets)
        ]
    else:
        # A table without chains and sets is one that is to go.
        rendered = [(chains.view_table(each), each.policy) for each in tables.rendered]
        wanted = [(view, policy, "the policy", "") for view, policy in rendered if view.chains or view.sets]
    for view, policy, name, since in wanted:
        match = left.pop(view.key, None)
        if match is None:
            lines: tuple[Difference, ...] = (Difference("table", "missing", " ".join(view.key)),)
        else:
            lines = tuple(chains.differences(view, match))
        yield Comparison(view.peering, policy, name, f"table {' '.join(view.key)} of the kernel", lines, since)
    for view in left.values():
        extra = Difference("table", "extra", " ".join(view.key))
        # Nothing says which policy it was written for.
        yield Comparison(
            view.peering, "", "what is stored", "the kernel", (extra,), "", bool(waiting) and tables.stored is None
        )


def _last_write(metadata: Mapping[str, Any]) -> str:
    """The time of the last write to an object other than to its status, as the API server noted it."""
    managed = metadata.get("managedFields")
    entries = map(_fields, _list(managed))
    times = [str(each.get("time")) for each in entries if each.get("time") and each.get("subresource") != "status"]
    return max(times, default=str(metadata.get("creationTimestamp") or ""))


def _fields(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
