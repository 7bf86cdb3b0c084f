"""What rules have counted: the named counters of our tables, by peering and rule.

The name of a counter is ``<rule>-<hash>.<way>``: the rule as in ``rule-3`` or ``default``, a hash of what it says, and which
packets it counts: those in the direction of their connection, those against it, or those of no connection.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, cast

from liqo_connectivity.chains import AGENT_PREFIX
from liqo_connectivity.operator.agent.kernel.reader import Counted

_NAME: Final = re.compile(r"(?P<rule>[a-z]+(?:-[0-9]+)?)-[0-9a-f]{8}\.(?P<way>original|reply|packet)")


class ListingError(ValueError):
    """A text is no list of counters, as nft prints it; says why."""


class CounterKey(NamedTuple):
    """A counter: the family and name of its table, and its own name."""

    family: str
    table: str
    name: str


class RuleCount(NamedTuple):
    """What a rule of a peering has counted in both families, and how many of these packets were in each direction.

    ``rule`` is the index of the rule in the policy, or the name of one that is always there, such as ``default``.
    """

    peering: str
    rule: str
    packets: int
    bytes: int
    original: int
    reply: int
    packet: int


def by_rule(counted: Iterable[tuple[CounterKey, Counted]]) -> list[RuleCount]:
    """The counts of rules, by peering and in the order of a policy; counters that are none of ours are left out."""
    found: dict[tuple[str, str], RuleCount] = {}
    for key, (packets, octets) in counted:
        match = _NAME.fullmatch(key.name)
        if match is None or not key.table.startswith(AGENT_PREFIX):
            continue
        peering, rule, way = key.table.removeprefix(AGENT_PREFIX), match["rule"].removeprefix("rule-"), match["way"]
        held = found.get((peering, rule), RuleCount(peering, rule, 0, 0, 0, 0, 0))
        found[peering, rule] = held._replace(
            packets=held.packets + packets, bytes=held.bytes + octets, **{way: getattr(held, way) + packets}
        )
    return sorted(found.values(), key=lambda each: (each.peering, _place(each.rule)))


def listing(counted: Iterable[tuple[CounterKey, Counted]]) -> str:
    """Counters in the form of ``nft -j list counters``."""
    objects = [
        {"counter": {"family": family, "name": name, "table": table, "packets": packets, "bytes": octets}}
        for (family, table, name), (packets, octets) in counted
    ]
    return json.dumps({"nftables": objects}) + "\n"


def read_listing(text: str) -> list[tuple[CounterKey, Counted]]:
    """The counters of what ``nft -j list counters`` prints. Raises ListingError."""
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise ListingError(f"not JSON: {error}") from None
    objects = _fields(document).get("nftables")
    if not isinstance(objects, list):
        raise ListingError("no list of nft: it has no field 'nftables'; `nft -j list counters` prints one")
    found = [_counter(_fields(each).get("counter")) for each in cast("list[object]", objects)]
    return [each for each in found if each is not None]


def _counter(listed: object) -> tuple[CounterKey, Counted] | None:
    held = _fields(listed)
    if not held:
        return None
    key = CounterKey(*(str(held.get(name)) for name in CounterKey._fields))
    packets, octets = held.get("packets"), held.get("bytes")
    if isinstance(packets, int) and isinstance(octets, int):
        return key, Counted(packets, octets)
    raise ListingError(f"counter {key.name!r} of table {key.table!r} has no packets or bytes")


def _fields(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _place(rule: str) -> tuple[int, int, str]:
    """Where a rule stands: the guards before the rules of the policy, the default after them."""
    if rule.isdigit():
        return 1, int(rule), ""
    return (2, 0, rule) if rule == "default" else (0, 0, rule)
