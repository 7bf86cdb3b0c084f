"""``python -m benchmarks.cold``: what a command costs from a cold start, beside importing the libraries it stands on.

User CPU of whole processes on an example of a few dozen objects, so that starting is nearly all there is. README.md says
how to read the numbers.
"""

import os
import sys
from argparse import ArgumentParser
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measure import ROOT, ChildError, python, run

BARE: Final = "import click, yaml, pydantic"
EXAMPLE: Final = str(ROOT / "examples" / "consumer")
COMMANDS: Final = {
    BARE: python("-c", BARE),
    "--help": python("-m", "liqo_connectivity", "--help"),
    "why": python("-m", "liqo_connectivity", "why", "shop/web-2", "shop/web-0:8080/tcp", "-f", EXAMPLE),
    "render": python("-m", "liqo_connectivity", "render", "-f", EXAMPLE),
}
MUST: Final = {"--help": 0.9, "why": 2.7}
"""What a command may cost, where the bare imports cost 1."""
AIM: Final = {"--help": 0.6, "why": 2.3}
"""What it should cost."""


def measure(rounds: int) -> dict[str, list[float]]:
    """Run every command once a round; give the user CPU seconds of each run. Raises ChildError."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with TemporaryDirectory() as folder:
        # As after the first call of a user: bytecode and the checked program are there, whatever this process was told.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        for command in COMMANDS.values():
            run(command)
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                found[name].append(run(command).user_seconds)
    return found


def main() -> int:
    """Measure and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="interleaved runs (default 20)")
    try:
        found = measure(parser.parse_args().rounds)
    except ChildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    missed = False
    print(
        f"{'user CPU':{len(BARE)}} {'least ms':>9} {'ratio':>6} {'median ms':>10} {'ratio':>6} {'must':>5} {'aim':>5}"
    )
    for name, times in found.items():
        least, middle = min(times) / min(found[BARE]), median(times) / median(found[BARE])
        over = least > MUST.get(name, least)
        missed = missed or over
        print(
            f"{name:{len(BARE)}} {min(times) * 1000:9.0f} {least:6.2f} {median(times) * 1000:10.0f} {middle:6.2f} "
            f"{MUST.get(name, ''):>5} {AIM.get(name, ''):>5}{'!' if over else '*' if least <= AIM.get(name, 0) else ''}"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
