"""What the controller logs: JSON or text, one line each, and nothing in it that a tenant could forge."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from liqo_connectivity.operator.controller.logs import ROOT, fields, set_up

LOG = logging.getLogger(f"{ROOT}.operator.controller.writer")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(ROOT)
    before = (root.handlers, root.level, ours.level, threading.excepthook)
    yield
    root.handlers, threading.excepthook = before[0], before[3]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def logged(style: str, stream: io.StringIO | None = None) -> io.StringIO:
    out = stream or io.StringIO()
    set_up(style, "info", out)
    return out


def test_json_has_what_happened_and_its_key_values() -> None:
    out = logged("json")
    LOG.info("Applied FirewallConfiguration", extra=fields(namespace="liqo-tenant-milan", name="milan", bytes=7))
    entry = json.loads(out.getvalue())
    assert entry.pop("ts").endswith("Z")
    assert entry == {
        "level": "info",
        "logger": "operator.controller.writer",
        "msg": "Applied FirewallConfiguration",
        "namespace": "liqo-tenant-milan",
        "name": "milan",
        "bytes": 7,
    }


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    out = logged("auto", Terminal())
    LOG.info("Started", extra=fields(version="1"))
    assert out.getvalue().split(" ", 1)[1] == "INFO    Started version=1\n"
    out = logged("auto")
    LOG.info("Started", extra=fields(version="1"))
    assert json.loads(out.getvalue())["version"] == "1"


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_control_character_of_a_tenant_reaches_the_reader(style: str) -> None:
    out = logged(style)
    evil = 'a\nb\x1b[2J\u202e"=c\ud800'
    LOG.warning("Refused: %s", evil, extra=fields(name=evil))
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    if style == "json":
        assert json.loads(line)["name"] == evil


def test_a_key_value_cannot_forge_what_the_line_says() -> None:
    out = logged("json")
    LOG.info("Applied", extra=fields(msg="Deleted", level="error"))
    assert {"msg": "Applied", "level": "info"}.items() <= json.loads(out.getvalue()).items()


def test_values_that_could_be_mistaken_are_quoted_in_text() -> None:
    out = logged("text")
    LOG.info("Held", extra=fields(reason="two words", empty="", number=2, pair="a=b"))
    assert out.getvalue().endswith('Held reason="two words" empty="" number=2 pair="a=b"\n')


def test_an_exception_has_its_traceback() -> None:
    for style in ("json", "text"):
        out = logged(style)
        try:
            raise ValueError("of\na tenant")
        except ValueError as error:
            LOG.error("Failed", exc_info=error)
        text = out.getvalue()
        assert "Traceback" in text
        assert "ValueError: of\\na tenant" in text


def test_a_traceback_forges_no_line_and_colours_nothing() -> None:
    out = logged("auto", Terminal())
    try:
        raise ValueError("of\n2026-01-01T00:00:00Z INFO a tenant \x1b[31m\r\u202e")
    except ValueError as error:
        LOG.error("Failed", exc_info=error)
    first, *trace = out.getvalue().splitlines()
    assert " ERROR   Failed error=" in first
    assert trace
    assert all(line.startswith("  ") for line in trace)
    assert all(line.isprintable() for line in (first, *trace))


def test_a_thread_that_dies_is_logged() -> None:
    out = logged("json")
    thread = threading.Thread(target=lambda: {"a": 1}["b"], name="watch pods")
    thread.start()
    thread.join()
    entry = json.loads(out.getvalue())
    assert (entry["msg"], entry["thread"]) == ("Thread died", "watch pods")
    assert entry["error"].startswith("KeyError")


def test_libraries_are_heard_from_warnings_on() -> None:
    out = logged("json")
    logging.getLogger("urllib3").info("a connection")
    LOG.debug("a detail")
    assert out.getvalue() == ""
    logging.getLogger("urllib3").warning("no connection")
    assert json.loads(out.getvalue())["logger"] == "urllib3"
