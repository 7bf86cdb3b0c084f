"""The exit codes of every command. This module must not import anything."""

from typing import Final

OK: Final = 0
"""Allowed, or fine."""
DENIED: Final = 1
"""Denied, or findings."""
USAGE: Final = 2
"""The command was called wrongly."""
UNKNOWN: Final = 3
"""The input is incomplete, so the answer is not known."""
INTERNAL: Final = 4
"""An internal fault, or a limit that was reached."""
REJECTED: Final = 5
"""A certificate does not hold."""
