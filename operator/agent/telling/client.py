"""Asks the agent of a node over HTTP: on the node itself, or by a port-forward."""

from http.client import HTTPException, HTTPResponse
from typing import Final, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click

URL: Final = "http://127.0.0.1:8083"
_TIMEOUT: Final = 10.0
"""Seconds, to connect and between two reads."""
_MAX_BYTES: Final = 1 << 28
_HINT: Final = "run an agent there, or `kubectl port-forward POD 8083` to one, or name another address with --url"


def opened(url: str, path: str) -> HTTPResponse:
    """The answer of an agent, to be read and closed. Raises click.UsageError."""
    if not url.startswith("http://"):
        raise click.UsageError(f"--url {url}: write http://HOST:PORT")
    # An agent is reached through a port-forward, never through a proxy.
    opener = build_opener(ProxyHandler({}))
    try:
        return cast("HTTPResponse", opener.open(f"{url.rstrip('/')}{path}", timeout=_TIMEOUT))
    except HTTPError as error:
        with error:
            raise click.UsageError(f"{url}{path}: {error.code} {error.reason}; {_HINT}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise click.UsageError(f"{url}{path}: {getattr(error, 'reason', error)}; {_HINT}") from None


def fetched(url: str, path: str) -> str:
    """The text of an answer. Raises click.UsageError."""
    with opened(url, path) as answer:
        try:
            data = answer.read(_MAX_BYTES)
        except (OSError, HTTPException) as error:
            raise click.UsageError(f"{url}{path}: {error}; {_HINT}") from None
    return data.decode("utf-8", "replace")
