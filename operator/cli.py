"""The process of a command: what interrupts it, what it cannot write, and its exit code."""

import gc
import os
import sys
import threading
from typing import Final, NoReturn

from liqo_connectivity.operator import exits, streams

_COLLECT_AFTER: Final = 100_000
"""How many more objects there are before garbage is collected."""


def main() -> NoReturn:
    """Run the command line and exit."""
    streams.prepare()
    # Few commands live long enough for a collection to free anything; the controller sets its own threshold.
    gc.set_threshold(_COLLECT_AFTER)
    code = streams.finish(run(sys.argv[1:]))
    # A process that ends gives its memory back as a whole: Python need not look for cycles in it.
    gc.freeze()
    if any(thread.daemon for thread in threading.enumerate()):
        # One that waits for an answer, as those of watches do, would meet an interpreter that is being taken apart, and crash it.
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code. Only answers go to stdout."""
    try:
        # Imported here, so that an interrupt during imports has no traceback either.
        from liqo_connectivity.operator.verbs import invoke

        return invoke(arguments)
    except KeyboardInterrupt:
        streams.say("interrupted")
        return exits.INTERRUPTED
    except OSError as error:
        _print_traceback()
        return streams.report(error)
    except MemoryError:
        streams.say("error: there is not enough memory")
        return exits.INTERNAL
    except Exception as error:  # noqa: BLE001  the last resort: one line for the user, the traceback on request
        _print_traceback()
        # Imported here to keep --help fast.
        from liqo_connectivity.engine import DatalogError

        if isinstance(error, DatalogError):
            streams.say(f"error: {error}")
            return exits.INTERNAL
        hint = "please report this; LIQO_CONNECTIVITY_TRACEBACK=1 prints the traceback"
        streams.say(f"internal error: {type(error).__name__}: {error}\n  = help: {hint}")
        return exits.INTERNAL


def _print_traceback() -> None:
    if os.environ.get("LIQO_CONNECTIVITY_TRACEBACK"):
        import traceback  # Only a developer needs it.

        traceback.print_exc()
