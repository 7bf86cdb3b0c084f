"""What the writer of an unknown field of a policy may have meant: the nearest field that exists."""

from difflib import get_close_matches
from typing import Final

from liqo_connectivity.facts.base.fact import segments
from liqo_connectivity.facts.objects.models import names_at
from liqo_connectivity.facts.objects.policy_objects import PeeringConnectivity

_ALIKE: Final = 0.5
"""The least similarity, from 0 to 1: ``dest`` is 0.53 like ``destination``."""
_ELSEWHERE: Final = {
    "from": "source",
    "src": "source",
    "to": "destination",
    "dst": "destination",
    "ipblock": "cidr",
    "labelselector": "podselector",
    "targetport": "port",
}
"""Words of other policy languages."""
_RULE: Final = ("spec", "rules", "0")
_PARTY: Final = (*_RULE, "source")
_PARENTS: Final = (
    (),
    ("spec",),
    _RULE,
    (*_RULE, "ports", "0"),
    _PARTY,
    (*_PARTY, "cidr"),
    (*_PARTY, "podSelector"),
    (*_PARTY, "podSelector", "matchExpressions", "0"),
)
"""Where the fields of a policy are."""


def policy_field_hint(field: str) -> str:
    """What to write instead of an unknown field of a policy, a JSON pointer: a nearest name, and those that exist."""
    *parent, name = segments(field)
    known = names_at(PeeringConnectivity, parent)
    nearest = _nearest(name, known)
    if not nearest:
        owners = [path for path in _PARENTS if name in names_at(PeeringConnectivity, path)]
        nearest = f"it belongs to /{'/'.join(owners[0])}; " if owners and owners[0] else ""
    return f"{nearest}the fields here are {', '.join(sorted(known))}"


def _nearest(name: str, known: tuple[str, ...]) -> str:
    lowered = {each.lower(): each for each in known}
    meant = _ELSEWHERE.get(name.lower(), name.lower())
    near = get_close_matches(meant[:64], lowered, 1, _ALIKE)
    return f"did you mean {lowered[near[0]]}? " if near else ""
