"""The controller's log: one line for each record, JSON in a cluster and text on a terminal, rendered by structlog.

A message begins with a capital, ends without a full stop and is in the past tense, as Kubernetes logs are; what it is about
goes into key-values, ``log.info("Released the lease", extra=fields(lease="..."))``. Names and messages come from tenants,
so no control character of theirs reaches a terminal.
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Final, TextIO, cast

from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter
from structlog.processors import JSONRenderer, format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

ROOT: Final = "liqo_connectivity"
"""The logger above those of all modules."""
_FIELDS: Final = "liqo_connectivity_fields"
_LEVEL_WIDTH: Final = 7


def fields(**values: object) -> dict[str, object]:
    """Make the ``extra`` of a record from key-values; unlike those of ``extra`` itself, their names are free."""
    return {_FIELDS: values}


def set_up(style: str, level: str, stream: TextIO | None = None) -> None:
    """Send what is logged to ``stream``, which is stderr unless given, in ``style`` auto, json or text.

    Libraries are logged from warnings on. A thread that ends by an exception is logged.
    """
    out: TextIO = sys.stderr if stream is None else stream
    text = style == "text" or (style == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(ProcessorFormatter(processors=_TEXT if text else _JSON))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
    threading.excepthook = _log_thread


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread is not None else ""
    error = ended.exc_value or ended.exc_type()
    logging.getLogger(ROOT).error("Thread died", exc_info=error, extra=fields(thread=name))


# ---- Processors ----


def _entry(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The key-values of a record, under the keys ts, level, logger and msg that other controllers use."""
    record = cast("logging.LogRecord", event["_record"])
    entry: EventDict = dict(record.__dict__.get(_FIELDS, {}))
    # A key-value cannot take the place of what the record itself says.
    entry["ts"] = _time(record)
    entry["level"] = record.levelname.lower()
    entry["logger"] = record.name.removeprefix(f"{ROOT}.")
    entry["msg"] = event["event"]
    if "exception" in event:
        error = event["_error"]
        entry["error"] = f"{type(error).__name__}: {error}"
        entry["stacktrace"] = event["exception"]
    return entry


def _keep_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep the exception itself, of which the next processor leaves only the traceback."""
    raised = event.get("exc_info")
    if raised:
        event["_error"] = raised[1]
    return event


def _as_text(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Leave out the logger, and put the traceback on indented lines below."""
    del entry["logger"]
    if "stacktrace" in entry:
        lines = str(entry.pop("stacktrace")).splitlines()
        entry["exception"] = "\n".join(f"  {_escape(line)}" for line in lines)
    return entry


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    plain = text != "" and text.isprintable() and not any(char in text for char in ' "=')
    return text if plain or not isinstance(value, str) else json.dumps(text)


def _escape(text: object) -> str:
    shown = str(text)
    return shown if shown.isprintable() else json.dumps(shown)[1:-1]


def _level(level: object) -> str:
    return str(level).upper().ljust(_LEVEL_WIDTH)


_COMMON: Final[tuple[Processor, ...]] = (_keep_error, format_exc_info, _entry)
_JSON: Final[tuple[Processor, ...]] = (
    *_COMMON,
    JSONRenderer(serializer=json.dumps, separators=(",", ":"), default=str),
)
_TEXT: Final[tuple[Processor, ...]] = (
    *_COMMON,
    _as_text,
    ConsoleRenderer(
        sort_keys=False,
        columns=[
            Column("ts", KeyValueColumnFormatter(None, "", "", str)),
            Column("level", KeyValueColumnFormatter(None, "", "", _level)),
            Column("msg", KeyValueColumnFormatter(None, "", "", _escape)),
            Column("", KeyValueColumnFormatter("", "", "", _value)),
        ],
    ),
)
