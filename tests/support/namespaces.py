"""Network namespaces that a process makes for itself: nobody else sees them, and they go when the process does.

For a process that is already alone in a user and network namespace, as ``unshare -rn`` starts one.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of linux/sched.h."""

_libc = ctypes.CDLL(None, use_errno=True)


def new_namespace() -> int:
    """A new network namespace, in which the process is from here on."""
    check(_libc.unshare(NEW_NETWORK))
    return current()


def current() -> int:
    """The network namespace in which the process is, open."""
    return os.open("/proc/self/ns/net", os.O_RDONLY)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Be in a network namespace, for a block."""
    before = current()
    enter(namespace)
    try:
        yield
    finally:
        enter(before)
        os.close(before)


def enter(namespace: int) -> None:
    """Be in a network namespace from here on. Raises OSError."""
    check(_libc.setns(namespace, NEW_NETWORK))


def check(result: int) -> None:
    """Raises OSError for what a function of libc gave back."""
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def path(descriptor: int) -> str:
    """An open namespace, for other programs."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def ip(*arguments: str) -> None:
    """Run ip(8) in the current namespace."""
    subprocess.run(["ip", *arguments], check=True)


def ip_batch(*lines: str, six: bool = False) -> None:
    """Run commands of ip(8) in the current namespace, one a line, in one process; of IPv6 only for ``six``."""
    subprocess.run(["ip", *(["-6"] if six else []), "-batch", "-"], input="\n".join(lines), text=True, check=True)
