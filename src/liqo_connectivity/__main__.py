"""Lets ``python -m liqo_connectivity`` do what the ``liqo-connectivity`` command does."""

from liqo_connectivity.operator.cli import main

if __name__ == "__main__":
    main()
