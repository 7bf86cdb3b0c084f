"""Builds Liqo's own agent, its released Go code, with which tests apply objects to a kernel."""

import sys
from pathlib import Path
from typing import Final

from tools.go_programs import PreparationError, Program, built

FOLDER: Final = Path(__file__).parents[1] / "tests" / "dataplane" / "liqo-agent"
LIQO_AGENT: Final = Program("liqo-agent", "liqo-agent", ".", folder=FOLDER)


def main() -> None:
    try:
        built(LIQO_AGENT)
    except PreparationError as error:
        sys.exit(f"tools: {error}")


if __name__ == "__main__":
    main()
