"""The policy program: the built-in rule files, and those that an administrator adds.

Added files may declare relations and derive more tuples. They cannot remove a built-in rule or forge a fact.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from liqo_connectivity.engine import Atom, Clause, Constant, Diagnostic, Program, ProgramError, Statement
from liqo_connectivity.rules.program_cache import load_or_build

BUILTIN_FILES: Final = (
    "relations.dl",
    "networks.dl",
    "peerings.dl",
    "cluster_selectors.dl",
    "members.dl",
    "blocks.dl",
    "selectors.dl",
    "policy.dl",
    "pending.dl",
    "verdicts.dl",
    "chains.dl",
    "limits.dl",
    "parts.dl",
    "gathered.dl",
    "part_sizes.dl",
    "findings.dl",
    "policy_findings.dl",
    "added_members.dl",
    "conditions.dl",
    "services.dl",
    "blind_spots.dl",
    "traits.dl",
    "mismatches.dl",
)
"""The files of the built-in program, in reading order."""

MEMBERSHIP: Final = ("member", "member_cidr")
"""The relations whose heads define groups: single addresses, and CIDRs."""


def builtin_texts() -> dict[str, str]:
    """Read the built-in rule files: text by name."""
    folder = Path(__file__).parent
    return {f"rules/{name}": folder.joinpath(name).read_text("utf-8") for name in BUILTIN_FILES}


def builtin() -> Program:
    """Give the built-in program, from the cache if it is there."""
    texts = builtin_texts()
    return load_or_build(texts, lambda: _build(_parse(texts), texts))


def load(added: Mapping[str, str] | None = None) -> Program:
    """Read the policy program; ``added`` maps the names of further rule files to their texts.

    Raises ProgramError for a text that is wrong, or an added rule for a relation that only objects assert (DL012).
    """
    program = builtin()
    if not added:
        return program
    texts = dict(program.texts)
    groups = set(group_facts(program.statements))
    statements = [s for s in program.statements if s not in groups]
    for name, text in added.items():
        texts[name] = text
        extra = _parse({name: text})
        heads = (head for s in extra if isinstance(s, Clause) for head in s.heads)
        forged = [head for head in heads if head.relation in program.schema.inputs]
        if forged:
            raise ProgramError([_forged(head) for head in forged], texts)
        statements.extend(extra)
    return _build(statements, texts)


def _parse(texts: Mapping[str, str]) -> list[Statement]:
    # A program that comes from the cache needs no parser, and importing it takes longer than reading the cache.
    from liqo_connectivity.engine.syntax.parser import parse_program

    return [statement for name, text in texts.items() for statement in parse_program(text, name)]


def _build(statements: list[Statement], texts: Mapping[str, str]) -> Program:
    return Program.build([*statements, *group_facts(statements)], texts)


def group_facts(statements: Iterable[Statement]) -> tuple[Clause, ...]:
    """Give a fact ``group(name, relation)`` for each group that the head of a rule for member or member_cidr names, and
    ``pod_group(name)`` for each that one for group_pod does.

    So a new group needs one rule and no declaration, and rules see when a policy names a group that does not exist, or
    narrows one that cannot be.
    """
    heads = [head for s in statements if isinstance(s, Clause) for head in s.heads if len(head.terms) > 1]
    groups = {
        (head.terms[1], head.relation): head
        for head in heads
        if head.relation in MEMBERSHIP and isinstance(head.terms[1], Constant)
    }
    narrowable = {
        head.terms[1]: head for head in heads if head.relation == "group_pod" and isinstance(head.terms[1], Constant)
    }
    return (
        *(
            Clause((Atom("group", (term, Constant(relation)), head.span),), None, head.span)
            for (term, relation), head in groups.items()
        ),
        *(Clause((Atom("pod_group", (term,), head.span),), None, head.span) for term, head in narrowable.items()),
    )


def _forged(head: Atom) -> Diagnostic:
    message = f"{head.relation} holds only what objects assert"
    hint = "derive your own relation, or one that the built-in rules derive, such as member"
    return Diagnostic("DL012", "error", message, head.span, help=hint)
