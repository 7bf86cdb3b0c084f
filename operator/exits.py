"""The exit codes of all commands."""

from typing import Final

OK: Final = 0
"""Allowed, or success."""
DENIED: Final = 1
"""Denied, or findings."""
USAGE: Final = 2
"""Wrong usage."""
UNKNOWN: Final = 3
"""The answer is unknown, because the input is incomplete."""
INTERNAL: Final = 4
"""An internal error, or a limit was reached."""
REJECTED: Final = 5
"""The certificate does not hold."""
