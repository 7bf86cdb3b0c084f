"""Which of Liqo's agents a swap waits for, and how long.

An agent that is ready is waited for until it has reported, however long that takes. A node whose agent is not ready, or gone
and not yet replaced, is waited for only so long: a node that is down must not keep an edit from all others.
"""

from collections.abc import Mapping

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import reported
from liqo_connectivity.operator.controller.objects.stored import Agent, StoredFirewall


class AgentPresence:
    """The nodes that have, or had, an agent while this process runs; they are waited for ``patience`` seconds."""

    def __init__(self, agents: Mapping[ObjectKey, Agent], patience: float) -> None:
        self._agents = agents
        self._patience = patience
        # The nodes that have a ready agent, and since when others have none.
        self._here: set[str] = set()
        self._absent: dict[str, float] = {}
        self._awaited: frozenset[str] = frozenset()

    def look(self, now: float) -> float | None:
        """Take over what the agents are now; in how many seconds to look again, None for when one changes."""
        live = [agent for agent in self._agents.values() if agent.live]
        here = {agent.node for agent in live if not agent.away}
        known = self._here | self._absent.keys() | {agent.node for agent in live}
        self._here = here
        # An agent without a node has never run.
        self._absent = {node: self._absent.get(node, now) for node in known - here if node}
        left = {node: since + self._patience - now for node, since in self._absent.items()}
        self._awaited = frozenset(node for node, seconds in left.items() if seconds > 0)
        return min((left[node] for node in self._awaited), default=None)

    def have_applied(self, stored: StoredFirewall) -> bool:
        """Whether no agent is left to wait for that has not applied an object."""
        having, enforcing = reported(self._agents.values(), stored.hosts)
        live = [agent for agent in self._agents.values() if agent.live]
        for agent in live:
            name = agent.key.name
            if name not in enforcing and (not agent.away or name in having):
                return False
        return self._awaited <= {agent.node for agent in live if agent.key.name in enforcing}
