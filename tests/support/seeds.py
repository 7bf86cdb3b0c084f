"""How many seeds the tests of random programs take beyond their first: some in ``make test``, all in ``make seeds``.

It must not know what a seed makes.
"""

import os

ALL = "ALL_SEEDS"
"""The environment variable with which `make seeds` asks for all."""
PART = 6
"""Of how many groups of seeds `make test` takes one."""


def groups(first: int, end: int, size: int) -> range:
    """The first seeds of the groups of ``size`` that a run takes, of those from ``first`` to ``end``."""
    return range(first, end, size if ALL in os.environ else size * PART)
