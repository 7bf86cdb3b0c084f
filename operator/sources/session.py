"""What one command works with: the program, the facts, the chosen evaluator and the second opinion.

All commands derive through here, so that ``--engine`` and ``--verify`` mean the same everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from liqo_connectivity.engine import LimitError, Limits, Model, OracleError, Program, Row, evaluate
from liqo_connectivity.facts import Edits, Reading
from liqo_connectivity.operator.sources.input import LIQO, Input, read_objects
from liqo_connectivity.operator.sources.question import Question, question_facts
from liqo_connectivity.operator.sources.rules import read_program
from liqo_connectivity.rules.relations import Enforcer

if TYPE_CHECKING:
    from liqo_connectivity.engine.pydatalog.child_process import ChildLimits


class Session(NamedTuple):
    """What a command works on."""

    given: Input
    reading: Reading
    program: Program
    enforcer: str
    """What the chains are for: liqo, which stands for Liqo's agents, nftables or agent."""

    @classmethod
    def open(cls, given: Input, keep: tuple[str, ...] = (), edits: Edits | None = None) -> "Session":
        """Read rules and objects; ``keep`` and ``edits`` are those of read_objects. Raises click.UsageError."""
        program = read_program(given)
        return cls(given, read_objects(given.objects, keep, edits), program, given.enforcer)

    def enforced_by(self, enforcer: str) -> "Session":
        """Give the session for chains that are for something else than Liqo's agents."""
        return self._replace(enforcer=enforcer)

    def facts(self, asked: Iterable[Question] = ()) -> Mapping[str, Iterable[Row]]:
        """Give the facts of the objects, who enforces, and the questions."""
        rows: dict[str, Iterable[Row]] = dict(self.reading.base.relations())
        enforcers = [] if self.enforcer == LIQO else [Enforcer(self.enforcer)]
        return {**rows, "enforcer": enforcers, **question_facts(asked)}

    def solve(self, goals: Iterable[str], asked: Iterable[Question] = (), program: Program | None = None) -> Model:
        """Derive some relations, and what they need, by the evaluator that was asked for.

        Raises OracleError, and LimitError if the evaluation exceeds the limits of time and memory.
        """
        program = program or self.program
        goals = tuple(goals)
        if self.given.engine == "pydatalog":
            # Seldom asked for, so imported here and in verify.
            from liqo_connectivity.engine.pydatalog import second_opinion

            return second_opinion.evaluate(program, self.facts(asked), goals, limits=self._limits())
        limits = Limits(seconds=self.given.seconds, megabytes=self.given.megabytes)
        try:
            return evaluate(program.slice(goals), self.facts(asked), limits)
        except LimitError as error:
            hint = "correct the rule if it never ends; --limit-seconds and --limit-megabytes set the limits"
            raise LimitError(f"{error}\n  = help: {hint}", error.place) from None

    def solve_verified(self, goals: Iterable[str], asked: Iterable[Question] = ()) -> Model:
        """Derive some relations and, if it was asked for, compare all of them with pyDatalog's. Raises OracleError."""
        goals, asked = tuple(goals), tuple(asked)
        model = self.solve(goals, asked)
        self.verify(model, goals, asked)
        return model

    def verify(self, model: Model, relations: Iterable[str], asked: Iterable[Question] = ()) -> None:
        """If it was asked for, derive the relations of an answer by pyDatalog and compare.

        Raises OracleError with the first tuple that only one evaluator derives: such an answer must not be given.
        """
        if not self.given.verify:
            return
        from liqo_connectivity.engine.pydatalog import second_opinion

        derived = sorted(name for name in set(relations) if name in model.program.rules_by_head)
        second = second_opinion.evaluate_relations(model.program, self.facts(asked), derived, limits=self._limits())
        difference = second_opinion.first_difference(model, second)
        if difference is not None:
            raise OracleError(f"the evaluators disagree, so no answer is given: {difference}")

    def _limits(self) -> "ChildLimits":
        from liqo_connectivity.engine.pydatalog.child_process import ChildLimits

        return ChildLimits(self.given.seconds, self.given.megabytes)
