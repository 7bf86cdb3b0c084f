"""A whole certificate: the answer of ``why`` to one question, checked from its claims down to the facts.

The claims are: the ends have these addresses; each peering that governs the flow is named, and none else; each has the
verdict that its proof proves, by the decision it names; what is unknown is all that is; and the verdict at the top
follows. Between groups a denial is shown by one pair of addresses, but "allowed" would need every pair: that much is
not in the certificate. The relations named here are those of rules/verdicts.dl.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dialect import Const, Item, Row, Rule, Rules, RulesError
from liqo_connectivity.checker.dump import QUESTION, Facts
from liqo_connectivity.checker.functors import address_family
from liqo_connectivity.checker.steps import RejectedError, Steps, tuples

SCHEMA_VERSION: Final = 1
CLAIMS: Final = ("flow_verdict", "governs", "peering_verdict", "decided_by", "unknown_because", "in_group", "pod")
_VERDICTS: Final = ("allowed", "denied", "unknown")


class NotShownError(Exception):
    """A claim is neither right nor wrong by what the certificate holds."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a good certificate says, and how many steps, facts and absences were checked for it."""

    verdict: str
    source: str
    destination: str
    peerings: tuple[str, ...]
    steps: int
    facts: int
    absences: int


def check(document: object, rules: Rules, facts: Facts) -> Checked:
    """Check a certificate. Raises RejectedError, NotShownError, and RulesError for rules that mean nothing."""
    answer = _object(document, "")
    if answer.get("schemaVersion") != SCHEMA_VERSION:
        raise RejectedError("/schemaVersion", "", f"version {SCHEMA_VERSION} is needed")
    verdict, state = answer.get("verdict"), answer.get("state")
    if verdict not in _VERDICTS or state not in ("new", "established"):
        raise RejectedError("/verdict", str(verdict), "a verdict on a new or established connection is needed")
    peerings, unknown = (_list(answer.get(name), f"/{name}") for name in ("peerings", "unknown"))
    source, destination = (_end(answer, side) for side in ("source", "destination"))
    if source[1] is None or destination[1] is None:
        return _without_address(answer, facts)
    question: Row = (f"{source[1]} -> {destination[1]}", source[1], destination[1], str(state))
    rules = _with_groups(rules)
    named = {name for name in tuples(peerings) if name in rules.columns}
    given = {name: rows.keys() for name, rows in facts.items()}
    follows = Consequences(rules.rules, {**given, QUESTION: {question}}, named.union(CLAIMS))
    for side, end in (("source", source), ("destination", destination)):
        _check_end(side, end[0], str(end[1]), facts, follows)
    steps = Steps(rules, facts, question, follows)
    for number, peering in enumerate(peerings):
        _check_peering(_object(peering, f"/peerings/{number}"), f"/peerings/{number}", steps)
    _check_governing([_object(p, "") for p in peerings], question[0], follows)
    _check_unknown(unknown, question[0], follows)
    _check_verdict(str(verdict), [_object(p, "") for p in peerings], unknown, follows, question[0])
    _check_pairs(answer, str(verdict), source[0], destination[0])
    owners = tuple(str(_object(p, "").get("peering")) for p in peerings)
    ends = (source[1], destination[1])
    return Checked(str(verdict), *ends, owners, steps.derived, steps.leaves, steps.absences)


def _end(answer: Mapping[str, object], side: str) -> tuple[str, str | None]:
    fields = _object(answer.get(side), f"/{side}")
    endpoint, address = fields.get("endpoint"), fields.get("address")
    if not isinstance(endpoint, str) or not isinstance(address, str | None):
        raise RejectedError(f"/{side}", "", "an endpoint and its address are needed")
    return endpoint, address


def _check_end(side: str, endpoint: str, address: str, facts: Facts, follows: Consequences) -> None:
    place = f"/{side}/address"
    if address_family(address) == 0:
        raise RejectedError(place, address, "it is not an IP address")
    if endpoint.startswith("ip:"):
        # An address has more than one notation; those that are written alike are the common case.
        wanted = endpoint.removeprefix("ip:").strip("[]").lower()
        good = wanted == address or (":" in wanted and _same_address(wanted, address))
    elif endpoint.startswith("group:"):
        group, _, peering = endpoint.removeprefix("group:").partition("@")
        good = (peering, group, address) in follows.rows("in_group")
    else:
        # A pod named alone is of the namespace that the command was given.
        pods = [str(pod) for pod, _ in facts.get("pod", {}) if pod == endpoint or str(pod).endswith(f"/{endpoint}")]
        good = any(_first_address(pod, facts) == address for pod in pods)
    if not good:
        raise RejectedError(place, address, f"it is not the address of {endpoint}")


def _same_address(one: str, other: str) -> bool:
    from liqo_connectivity.checker.functors import bits

    return bits(one) == bits(other)


def _first_address(pod: str, facts: Facts) -> str | None:
    from liqo_connectivity.checker.functors import bits

    own = [str(address) for owner, address in facts.get("pod_ip", {}) if owner == pod]
    return min(own, key=lambda address: bits(address) or (0, 0), default=None)


def _without_address(answer: Mapping[str, object], facts: Facts) -> Checked:
    raise NotImplementedError
