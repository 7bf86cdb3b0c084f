"""The rules as they would be if no policy fitted into one base chain, so that small ones are written in parts."""

from functools import cache
from typing import Literal, TypeAlias

from liqo_connectivity.chains.limits import MAX_GUARD_CIDRS
from liqo_connectivity.engine import Program
from liqo_connectivity.engine.syntax.parser import parse_program
from liqo_connectivity.rules.program import builtin_texts, group_facts

Split: TypeAlias = Literal["source", "destination", "both"]
SPLITS: tuple[Split, ...] = ("source", "destination", "both")


@cache
def split_program(split: Split | None, most: int, *goals: str) -> Program:
    """The part of the program that some relations need. Every chain has parts, if there is a way to write it so.

    ``split`` is the only one that is tried, None any; ``most`` is how many remote CIDRs a guard is for.
    """
    texts = builtin_texts()
    size = f'limit("remote CIDRs of a guard", {MAX_GUARD_CIDRS})'
    assert size in texts["rules/parts.dl"]
    texts["rules/parts.dl"] = texts["rules/parts.dl"].replace(size, size.replace(f"{MAX_GUARD_CIDRS}", f"{most}"))
    forced = "oversized(P) :- drafted(P, _), !enforcer(_).\n"
    if split is not None:
        forced += "".join(f'unfit(P, "{other}") :- drafted(P, _).\n' for other in SPLITS if other != split)
    texts["forced.dl"] = forced
    statements = [statement for name, text in texts.items() for statement in parse_program(text, name)]
    return Program.build([*statements, *group_facts(statements)], texts).slice(goals)
