"""What Liqo's agents report about one FirewallConfiguration, summarized as one condition.

Only live agents count, because Liqo never removes the reports of dead ones. A report does not say which version of the
object it is about, so the summary is about the last version that each agent tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from liqo_connectivity.operator.controller.objects.stored import Agent

AGENTS_PENDING: Final = "AgentsPending"
AGENTS_FAILED: Final = "AgentsFailed"
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class ConditionState:
    """``status`` is that of a condition: True, False or Unknown; reason and message say why."""

    status: str
    reason: str
    message: str


def summarize(agents: Iterable[Agent], hosts: Iterable[tuple[str, str]]) -> ConditionState:
    """Whether every live agent has applied an object; ``hosts`` are the hosts and statuses of its reports."""
    statuses = _statuses(hosts)
    live = sorted(agent.key.name for agent in agents if agent.live)
    if not live:
        return ConditionState(
            "Unknown", "NoAgents", "no Liqo agent (fabric pod) is running, so nothing enforces the chain"
        )
    failed = [name for name in live if statuses.get(name) == "False"]
    if failed:
        return ConditionState(
            "False", AGENTS_FAILED, f"{_some(failed, live)} could not apply the chain; see the agent's log"
        )
    waiting = [name for name in live if statuses.get(name) != "True"]
    if waiting:
        return ConditionState("Unknown", AGENTS_PENDING, f"{_some(waiting, live)} have not reported yet")
    return ConditionState(
        "True", "Enforced", f"{len(live)} of {len(live)} agents report that they have applied the chain"
    )


def retried(failure: ConditionState) -> ConditionState:
    """What a failure with a new object means at first: some versions of the agent fail once with every new table."""
    return ConditionState("Unknown", AGENTS_PENDING, f"{failure.message}; agents try again")


def reported(agents: Iterable[Agent], hosts: Iterable[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The live agents that have reported anything about an object, and those that have applied it."""
    live = {agent.key.name for agent in agents if agent.live}
    statuses = {host: status for host, status in _statuses(hosts).items() if host in live and status}
    return frozenset(statuses), frozenset(host for host, status in statuses.items() if status == "True")


def _statuses(hosts: Iterable[tuple[str, str]]) -> dict[str, str]:
    statuses: dict[str, str] = {}
    for host, status in hosts:
        # An agent may have left an empty report beside its true one.
        statuses[host] = max(statuses.get(host, ""), status, key=lambda each: (each == "False", each == "True"))
    return statuses


def _some(names: list[str], live: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} of {len(live)} agents ({', '.join(names[:_NAMED])}{more})"
