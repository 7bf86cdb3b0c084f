"""Text of a file that the user names, or of stdin."""

import sys
from pathlib import Path

import click


def read_text(path: str) -> str:
    """Read a UTF-8 file, or stdin for ``-``. Raises click.UsageError if that fails."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path}: is not UTF-8 text") from None
