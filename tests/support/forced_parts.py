"""The rules as they would be if no policy fitted into one base chain, so that small ones are written in parts."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias
from unittest.mock import patch

from liqo_connectivity import chains
from liqo_connectivity.chains import guards
from liqo_connectivity.chains.limits import MAX_GUARD_CIDRS
from liqo_connectivity.engine import Program
from liqo_connectivity.engine.syntax.parser import parse_program
from liqo_connectivity.rules.program import builtin_texts, group_facts

Split: TypeAlias = Literal["source", "destination", "both"]
SPLITS: tuple[Split, ...] = ("source", "destination", "both")


@dataclass(frozen=True)
class Form:
    """How chains are written in parts: ``split`` is the only way that is tried, None any; ``most`` the remote CIDRs of a guard."""

    split: Split | None
    most: int

    def assembled(self, layout: chains.Layout) -> tuple[chains.Table, ...]:
        """The tables for Liqo's agents. Raises ChainError."""
        with patch.object(guards, "MAX_GUARD_CIDRS", self.most):
            return chains.assemble(layout)


FORMS = (Form(None, MAX_GUARD_CIDRS), Form("both", 1))


@cache
def split_program(form: Form, *goals: str) -> Program:
    """The part of the program that some relations need. Every chain has parts, if there is a way to write it so."""
    texts = builtin_texts()
    size = f'limit("remote CIDRs of a guard", {MAX_GUARD_CIDRS})'
    assert size in texts["rules/parts.dl"]
    texts["rules/parts.dl"] = texts["rules/parts.dl"].replace(size, size.replace(f"{MAX_GUARD_CIDRS}", f"{form.most}"))
    forced = "oversized(P) :- drafted(P, _), !enforcer(_).\n"
    if form.split is not None:
        forced += "".join(f'unfit(P, "{other}") :- drafted(P, _).\n' for other in SPLITS if other != form.split)
    texts["forced.dl"] = forced
    statements = [statement for name, text in texts.items() for statement in parse_program(text, name)]
    return Program.build([*statements, *group_facts(statements)], texts).slice(goals)
