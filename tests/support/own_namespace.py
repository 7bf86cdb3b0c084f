"""Runs a function in a process that is alone in a new user and network namespace, as root of it.

Both go when the function has ended. Needs no root; where user namespaces are forbidden the tests fail, since skipped they would
look passed.
"""

import ctypes
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.support.namespaces import NEW_NETWORK, check

T = TypeVar("T")
_NEW_USER = 0x10000000
"""CLONE_NEWUSER of linux/sched.h."""


def in_own_namespace(function: Callable[[], T]) -> T:
    """What a function gives; raises what it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _answer(function, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        data = answers.read()
    os.waitpid(child, 0)
    outcome: tuple[T | None, BaseException | None] = pickle.loads(data)  # written by the child above
    result, error = outcome
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # the function gave it


def _answer(function: Callable[[], object], writing: int) -> None:
    """Run a function, write what came of it, and end the process."""
    outcome: tuple[object, BaseException | None]
    try:
        _isolate()
        outcome = function(), None
    except BaseException as error:  # noqa: BLE001  the parent raises it
        outcome = None, error
    try:
        data = pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001  what it gave cannot be handed over
        data = pickle.dumps((None, AssertionError(f"{error}: {outcome}")))
    with os.fdopen(writing, "wb") as answers:
        answers.write(data)
    os._exit(0)


def _isolate() -> None:
    user, group = os.getuid(), os.getgid()
    check(ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | NEW_NETWORK))
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", "ascii")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
