"""The commands, a module for each."""

from typing import Final

COMPLETE: Final = "_LIQO_CONNECTIVITY_COMPLETE"
"""The environment variable by which a shell asks for completions; the scripts of ``completion`` set it."""
