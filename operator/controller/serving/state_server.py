"""Serves the controller's state, read-only and on loopback only: the facts it decides by, and its rules.

From both, ``why --operator`` gives exactly the answer that the controller acts on. The facts name every pod of the
cluster, so only this machine may read them, and ``kubectl port-forward``, which needs a permission. The Host must be a
loopback name, so that a web page cannot make a browser on this machine read them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from liqo_connectivity import __version__
from liqo_connectivity.facts import Fact, sorted_lines
from liqo_connectivity.operator.controller.serving.http_server import Limits, Reply, Request, Server, text_reply
from liqo_connectivity.operator.controller.settings import LOOPBACK

STATE_HEADER: Final = "Liqo-Connectivity-State"
"""The header that numbers the state: it grows with every batch that changed a fact."""
_LIMITS: Final = Limits(deadline=120.0, connections=32, replies=2)
"""The facts of a large cluster are tens of megabytes, a port-forward is slow, and each reply holds a copy of them."""
_PART: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """The facts of the last committed batch, and the number of that state."""

    number: int
    facts: tuple[Fact, ...]


class BusyError(Exception):
    """There is no state to show yet; says why."""


def answers_server(
    host: str, port: int, take: Callable[[], StateSnapshot], builtin: Mapping[str, str], added: Mapping[str, str]
) -> Server:
    """Make the server of the state. Raises OSError if the address is not available.

    ``take`` is called by threads of the server, and may raise BusyError. ``builtin`` and ``added`` are the texts of
    the rule files by name.
    """
    rules = json.dumps({"version": __version__, "builtin": dict(builtin), "added": dict(added)}).encode()

    def answer(request: Request) -> Reply:
        refusal = unless_loopback(request)
        if refusal is not None:
            return refusal
        match request.path:
            case "/facts":
                try:
                    snapshot = take()
                except BusyError as error:
                    return text_reply(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)
                headers = {STATE_HEADER: str(snapshot.number)}
                return Reply(_parts(snapshot.facts), content_type="application/jsonl", headers=headers)
            case "/rules":
                return Reply((rules,), content_type="application/json")
            case _:
                return text_reply("not found; the paths are /facts and /rules\n", HTTPStatus.NOT_FOUND)

    return Server("answers", host, port, answer, _LIMITS)


def unless_loopback(request: Request) -> Reply | None:
    """The refusal of a request whose Host is no loopback name; None for others."""
    if _host_name(request.headers.get("host", "")) in LOOPBACK:
        return None
    return text_reply(f"the Host must be one of {', '.join(LOOPBACK)}\n", HTTPStatus.MISDIRECTED_REQUEST)


def _host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _host_name("127.0.0.1:8082"), _host_name("[::1]:8082"), _host_name("localhost")
    ('127.0.0.1', '::1', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _parts(facts: tuple[Fact, ...]) -> Iterator[bytes]:
    """The dump in parts of some size: one write per line would be one packet per line."""
    gathered: list[str] = []
    size = 0
    for line in sorted_lines(facts):
        gathered.append(line + "\n")
        size += len(line)
        if size > _PART:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()
