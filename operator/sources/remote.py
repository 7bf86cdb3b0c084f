"""The running controller, asked over HTTP for its current facts and rules.

An answer from these explains what the controller does, which one from a fresh listing of the cluster may not.
"""

import json
import os
from http.client import HTTPException
from typing import Final, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import click

from liqo_connectivity import __version__
from liqo_connectivity.facts import Collector, Edits, FixedLine, Origin, Reading, load_jsonl
from liqo_connectivity.operator.sources.input import ObjectSource
from liqo_connectivity.operator.sources.services import CLUSTER, add_services
from liqo_connectivity.rules.program import builtin_texts

DEFAULT_URL: Final = "http://127.0.0.1:8082"
VARIABLE: Final = "LIQO_CONNECTIVITY_OPERATOR"
"""The environment variable that overrides the address."""
_TIMEOUT: Final = 60.0
"""Seconds, to connect and between two reads."""
_MAX_BYTES: Final = 1 << 30
_FORWARD: Final = "kubectl -n liqo-system port-forward deploy/liqo-connectivity-engine 8082"


def read_facts(source: ObjectSource, edits: Edits | None = None) -> Reading:
    """Fetch the facts of the controller, and read beside them the Services of a source. Raises click.UsageError.

    ``edits`` are those of Collector.
    """
    url = _url()
    shown = f"{url}/facts"
    loaded = load_jsonl(_fetch(shown), shown)
    collector = Collector(edits=edits)
    collector.add_dump(loaded, Origin(shown, FixedLine(0)))
    own = loaded.facts.get(CLUSTER)
    add_services(collector, source, own[0].source.uid if own else "")
    return collector.reading()


def read_rules() -> dict[str, str]:
    """Fetch the controller's added rule files, text by name.

    Raises click.UsageError, also if its built-in rules differ from those of this command, which could not interpret them.
    """
    shown = f"{_url()}/rules"
    try:
        answer: object = json.loads(_fetch(shown))
    except (ValueError, RecursionError):
        answer = None
    fields = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
    builtin, added = _texts(fields.get("builtin")), _texts(fields.get("added"))
    if builtin is None or added is None:
        raise click.UsageError(f"{shown} did not answer with rules: is it the controller? {_hint()}")
    if builtin != builtin_texts():
        raise click.UsageError(
            f"the controller at {_url()} is version {fields.get('version')} with rules that differ from those of this command, "
            f"version {__version__}: use the same version, or save its facts with `facts dump --operator`"
        )
    return added


def _url() -> str:
    url = os.environ.get(VARIABLE, "").rstrip("/") or DEFAULT_URL
    if "@" in url:
        # The address is part of messages.
        raise click.UsageError(f"{VARIABLE} holds a user name or a password: write http://HOST:PORT")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise click.UsageError(f"{VARIABLE}={url}: {error}; write http://HOST:PORT") from None
    if parts.scheme != "http" or not parts.netloc or parts.path or parts.query:
        raise click.UsageError(f"{VARIABLE}={url}: write http://HOST:PORT")
    return url


def _hint() -> str:
    return f"run `{_FORWARD}` first, or name another address in {VARIABLE}"


def _fetch(url: str) -> str:
    # The controller is reached through a port-forward, never through a proxy.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT) as response:
            data: bytes = response.read(_MAX_BYTES + 1)
    except HTTPError as error:
        with error:
            said = error.read(500).decode("utf-8", "replace").strip()
        raise click.UsageError(f"the controller answered {error.code} to {url}: {said or error.reason}") from None
    except URLError as error:
        raise click.UsageError(f"no controller answers at {url}: {error.reason}; {_hint()}") from None
    except (OSError, HTTPException) as error:
        raise click.UsageError(
            f"the response of {url} was cut off: {error or type(error).__name__}; try again"
        ) from None
    if len(data) > _MAX_BYTES:
        raise click.UsageError(f"the response of {url} is larger than {_MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"the response of {url} is not UTF-8 text: is it the controller? {_hint()}") from None


def _texts(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    texts = cast("dict[object, object]", value)
    found = {name: text for name, text in texts.items() if isinstance(name, str) and isinstance(text, str)}
    return found if len(found) == len(texts) else None
