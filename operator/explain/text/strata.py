"""The relations of a program as text, by stratum."""

from liqo_connectivity.engine import Program


def strata_lines(program: Program) -> list[str]:
    """List the relations of facts on one line, then those of each stratum."""
    derived = {name: c.stratum for c in program.components for name in c.relations}
    asserted = [name for name in program.schema.relations if name not in derived]
    lines = [f"facts: {', '.join(asserted)}"]
    for stratum in range(max(derived.values(), default=-1) + 1):
        names = [name for name in program.schema.relations if derived.get(name) == stratum]
        lines.append(f"stratum {stratum}: {', '.join(names)}")
    return lines
