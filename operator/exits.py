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
"""An internal error, a limit was reached, or the answer could not be written."""
REJECTED: Final = 5
"""The certificate does not hold."""
INTERRUPTED: Final = 130
"""Interrupted by SIGINT (Ctrl-C), as a shell shows it: 128 and the number of the signal."""
BROKEN_PIPE: Final = 141
"""The reader of the answer went away, as ``head`` does: 128 and the number of SIGPIPE."""
