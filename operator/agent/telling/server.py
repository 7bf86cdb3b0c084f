"""Serves what an agent knows, read-only and on loopback: probes, metrics and counters.

Other machines reach it by ``kubectl port-forward``, which needs a permission.
"""

from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CollectorRegistry

from liqo_connectivity.operator.agent.telling.counts import listing
from liqo_connectivity.operator.agent.telling.metrics import counted
from liqo_connectivity.operator.agent.telling.state import AgentState
from liqo_connectivity.operator.controller.serving.http_server import Reply, Request, Server, text_reply
from liqo_connectivity.operator.controller.serving.probes import LIMITS, PROBES, Health, Probes
from liqo_connectivity.operator.controller.serving.state_server import unless_loopback


def agent_server(
    host: str, port: int, health: Health, registry: CollectorRegistry, state: Callable[[], AgentState]
) -> Server:
    """Make the server. Raises OSError if the address is not available."""
    probes = Probes(health, registry)

    def answer(request: Request) -> Reply:
        refusal = unless_loopback(request)
        if refusal is not None:
            return refusal
        if request.path == "/counters":
            return Reply((listing(counted(state())).encode(),), content_type="application/json")
        return probes.answer(request) or text_reply(
            f"not found; the paths are /counters, {PROBES}\n", HTTPStatus.NOT_FOUND
        )

    return Server("agent", host, port, answer, LIMITS)
