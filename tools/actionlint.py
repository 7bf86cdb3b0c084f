"""Checks the GitHub workflows with actionlint, built from its pinned Go module."""

import os
import sys

from tools.go_programs import PreparationError, Program, built

ACTIONLINT = Program("actionlint", "actionlint", "github.com/rhysd/actionlint/cmd/actionlint")


def main() -> None:
    try:
        path = str(built(ACTIONLINT))
    except PreparationError as error:
        sys.exit(f"tools: {error}")
    # It would also run shellcheck and pyflakes where they happen to be installed, and answer differently elsewhere.
    os.execv(path, [path, "-shellcheck=", "-pyflakes=", *sys.argv[1:]])


if __name__ == "__main__":
    main()
