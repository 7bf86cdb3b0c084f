"""A checked program: parsing texts returns its rules in evaluation order, or raises all errors at once.

Evaluation, proofs and why-not share this object. It is frozen: another text is another program.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from liqo_connectivity.engine.program import safety, singletons, stratification, type_check
from liqo_connectivity.engine.program import schema as schema_module
from liqo_connectivity.engine.program.schema import Schema
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.syntax import normalization
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic, ProgramError, Span
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS, Functor
from liqo_connectivity.engine.syntax.nodes import (
    Atom,
    Body,
    Clause,
    Column,
    Hint,
    RelationDeclaration,
    Rule,
    Statement,
    Variable,
    variables,
)


@dataclass(frozen=True)
class Program:
    """A program that passed every check.

    ``texts`` maps each file name to its text, for diagnostics; ``statements`` is the program as written; ``components``
    are the derived relations in evaluation order.
    """

    statements: tuple[Statement, ...]
    texts: Mapping[str, str]
    schema: Schema
    rules: tuple[Rule, ...]
    components: tuple[Component, ...]
    functors: Mapping[str, Functor] = field(default_factory=lambda: {**BUILTIN, **CONSTRAINTS})

    @classmethod
    def parse(cls, texts: Mapping[str, str], functors: Mapping[str, Functor] = BUILTIN) -> "Program":
        """Parse and check a program's texts, by file name, in the given order. Raises ProgramError."""
        # Only parsing needs lark: a program from a cache does not.
        from liqo_connectivity.engine.syntax.parser import parse_program

        statements: list[Statement] = []
        found: list[Diagnostic] = []
        for file, text in texts.items():
            try:
                statements += parse_program(text, file)
            except ProgramError as error:
                found += error.diagnostics
        if found:
            raise ProgramError(found, dict(texts))
        return cls.build(statements, texts, functors)

    @classmethod
    def build(
        cls, statements: Iterable[Statement], texts: Mapping[str, str], functors: Mapping[str, Functor] = BUILTIN
    ) -> "Program":
        """Check parsed statements. Raises ProgramError."""
        statements = tuple(statements)
        found = safety.check_size(statements)
        if found:
            raise ProgramError(found, dict(texts))
        schema, found = schema_module.collect(statements)
        rules = normalization.normalize(statements)
        found += safety.check_names(rules, schema, functors)
        if not found:
            found += type_check.check_types(rules, schema)
            found += safety.check_safety(rules)
            found += stratification.check_stratification(rules)
        if found:
            raise ProgramError(found, dict(texts))
        return cls(
            statements, dict(texts), schema, rules, stratification.components(rules), {**functors, **CONSTRAINTS}
        )

    @cached_property
    def rules_by_head(self) -> Mapping[str, tuple[Rule, ...]]:
        """The rules that derive each relation, in reading order."""
        by_head: dict[str, list[Rule]] = {}
        for rule in self.rules:
            by_head.setdefault(rule.head.relation, []).append(rule)
        return {relation: tuple(rules) for relation, rules in by_head.items()}

    def warnings(self) -> tuple[Diagnostic, ...]:
        """Report rules that no output needs (DL101), if there are outputs, variables that occur once (DL102), and hints."""
        once = [*singletons.check_singletons(self.statements), *_ignored(self.statements)]
        if not self.schema.outputs:
            return tuple(once)
        needed = stratification.needed_relations(self.rules_by_head, self.schema.outputs)
        hint = "use the relation in a rule that leads to an output, or declare it as .output"
        unused = [rule for rule in self.rules if rule.head.relation not in needed]
        found = [
            Diagnostic("DL101", "warning", f"no output needs {rule.head.relation}", rule.span, help=hint)
            for rule in unused
        ]
        return tuple(dict.fromkeys([*found, *once]))

    def slice(self, goals: Iterable[str]) -> "Program":
        """Return the part of the program that derives the goals, with the same rule numbers."""
        needed = stratification.needed_relations(self.rules_by_head, goals)
        rules = tuple(rule for rule in self.rules if rule.head.relation in needed)
        # The relations of a component need each other, so the slice has all of them or none.
        components = tuple(component for component in self.components if component.relations[0] in needed)
        return Program(self.statements, self.texts, self.schema, rules, components, self.functors)

    def with_goal(self, goal: Body, file: str, text: str, name: str = "goal") -> "tuple[Program, tuple[str, ...]]":
        """Add a relation that holds the answers to a goal.

        Returns the program and the relation's columns: the goal's named variables in reading order. The answer to a
        goal without variables is the empty row if the goal holds. Raises ProgramError, also if the program declares
        ``name``. For programs from others, pass a name that no text can declare, such as one with a space.
        """
        place = Span(file, 1, 1, 1, len(text.partition("\n")[0]) + 1)
        texts = {**self.texts, file: text}
        if name in self.schema.relations:
            message = f"the program declares a relation {name!r}, which is also the name for the answers to this goal"
            note = f"declared at {self.schema.relations[name].span}"
            hint = "rename the relation, or ask for the answers under another name"
            raise ProgramError([Diagnostic("DL008", "error", message, place, note, hint)], texts)
        found = safety.check_size([Clause((Atom(name, (), place),), goal, place)])
        if found:
            raise ProgramError(found, texts)
        alternatives = [normalization.scoped(body) for body in normalization.alternatives(goal)]
        # Checked before the relation is added: the goal must not name its own answers.
        found = safety.check_literals((item for body in alternatives for item in body), self.schema)
        if found:
            raise ProgramError(found, texts)
        answers: dict[str, Variable] = {}
        for variable in (v for body in alternatives for item in body for v in variables(item)):
            answers.setdefault(variable.name, variable)
        roots = type_check.variable_roots(alternatives, self.schema)
        declaration = RelationDeclaration(
            name, tuple(Column(variable, roots.get(variable, "symbol")) for variable in answers)
        )
        clause = Clause((Atom(name, tuple(answers.values()), place),), goal, place)
        return Program.build((*self.statements, declaration, clause), texts, self.functors), tuple(answers)


def _ignored(statements: Iterable[Statement]) -> list[Diagnostic]:
    """Report what only tunes Soufflé, and is read over here (DL103)."""
    hints = [(s.text.partition(" ")[0], s.span) for s in statements if isinstance(s, Hint)]
    hints += [(hint, s.span) for s in statements if isinstance(s, RelationDeclaration) for hint in s.hints]
    note = "it says how Soufflé evaluates or prints, and changes no row"
    found = [Diagnostic("DL103", "note", f"{hint} is ignored", span, note) for hint, span in hints]
    return list(dict.fromkeys(found))
