"""What the controller says, one line each: JSON in a cluster, text on a terminal, in the style of Kubernetes' logs.

A message begins with a capital, ends without a full stop and is in the past tense; what it is about goes into
key-values, ``log.info("Applied FirewallConfiguration", extra=fields(namespace="...", name="..."))``. Names and messages
come from tenants, so no control character of theirs reaches a terminal. This module must not know who logs what.
"""

import json
import logging
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO, cast

ROOT: Final = "liqo_connectivity"
"""The logger above those of all modules."""
_FIELDS: Final = "liqo_connectivity_fields"


def fields(**values: object) -> dict[str, object]:
    """Make the ``extra`` of a line from key-values; unlike those of ``extra`` itself, their names are free."""
    return {_FIELDS: values}


def set_up(style: str, level: str, stream: TextIO | None = None) -> None:
    """Send what is logged to ``stream``, which is stderr unless given, in ``style`` auto, json or text.

    Libraries are heard from warnings on. A thread that ends by an exception is logged.
    """
    out: TextIO = sys.stderr if stream is None else stream
    text = style == "text" or (style == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
    threading.excepthook = _log_thread


def _log_thread(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread is not None else ""
    error = told.exc_value or told.exc_type()
    logging.getLogger(ROOT).error("Thread died", exc_info=error, extra=fields(thread=name))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII; the keys ts, level, logger and msg are as other controllers write them."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its end."""
        entry: dict[str, object] = {
            "ts": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix(f"{ROOT}."),
            "msg": record.getMessage(),
        }
        # A key-value cannot take the place of what the line itself says.
        entry = {**_fields_of(record), **entry}
        if record.exc_info:
            entry |= {"error": _error(record), "stacktrace": self.formatException(record.exc_info)}
        return json.dumps(entry, separators=(",", ":"), default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message and ``key=value``, for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its end."""
        values = _fields_of(record)
        if record.exc_info:
            values = {**values, "error": _error(record)}
        pairs = "".join(f" {key}={_value(value)}" for key, value in values.items())
        line = f"{_time(record)} {record.levelname.ljust(7)} {_escape(record.getMessage())}{pairs}"
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line = "\n".join([line, *(f"  {_escape(each)}" for each in trace)])
        return line


def _fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    return cast("Mapping[str, object]", record.__dict__.get(_FIELDS, {}))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return f"{type(error).__name__}: {error}"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    plain = text != "" and text.isprintable() and not any(char in text for char in ' "=')
    return text if plain or not isinstance(value, str) else json.dumps(text)


def _escape(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
