"""What one command works with: the program, the facts, the chosen evaluator and the second opinion.

All commands derive through here, so that ``--engine`` and ``--verify`` mean the same everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from liqo_connectivity.engine import LimitError, Limits, Model, OracleError, Program, Row, evaluate
from liqo_connectivity.facts import Reading
from liqo_connectivity.operator.sources.input import Input, read_objects
from liqo_connectivity.operator.sources.rules import read_program
from liqo_connectivity.rules.relations import Enforcer, Flow, FlowPort

if TYPE_CHECKING:
    from liqo_connectivity.engine.pydatalog.child_process import ChildLimits


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works on."""

    given: Input
    reading: Reading
    program: Program
    port: tuple[int, str] | None = None
    """The destination port and protocol that a question names."""
    enforcer: str = ""
    """What loads the chains instead of Liqo's agents: nftables, or empty."""

    @classmethod
    def open(cls, given: Input) -> "Session":
        """Read rules and objects. Raises click.UsageError."""
        program = read_program(given)
        return cls(given, read_objects(given.objects), program)

    def about(self, port: tuple[int, str] | None) -> "Session":
        """Give the session for a question that may name a destination port and protocol."""
        return replace(self, port=port)

    def enforced_by(self, enforcer: str) -> "Session":
        """Give the session for chains that something else than Liqo's agents loads."""
        return replace(self, enforcer=enforcer)

    def facts(self, flows: Iterable[Flow] = ()) -> Mapping[str, Iterable[Row]]:
        """Give the facts of the objects, who enforces, and the question."""
        rows: dict[str, Iterable[Row]] = dict(self.reading.base.relations())
        flows = list(flows)
        ports = [FlowPort(flow.flow, *self.port) for flow in flows] if self.port is not None else []
        enforcers = [Enforcer(self.enforcer)] if self.enforcer else []
        return {**rows, "enforcer": enforcers, "flow": flows, "flow_port": ports}

    def solve(self, goals: Iterable[str], flows: Iterable[Flow] = (), program: Program | None = None) -> Model:
        """Derive some relations, and what they need, by the evaluator that was asked for.

        Raises OracleError, and LimitError if the evaluation exceeds the limits of time and memory.
        """
        program = program or self.program
        goals = tuple(goals)
        if self.given.engine == "pydatalog":
            # Seldom asked for, so imported here and in verify.
            from liqo_connectivity.engine.pydatalog import second_opinion

            return second_opinion.evaluate(program, self.facts(flows), goals, limits=self._limits())
        limits = Limits(seconds=self.given.seconds, megabytes=self.given.megabytes)
        try:
            return evaluate(program.slice(goals), self.facts(flows), limits)
        except LimitError as error:
            hint = "correct the rule if it never ends; --limit-seconds and --limit-megabytes set the limits"
            raise LimitError(f"{error}\n  = help: {hint}", error.place) from None

    def solve_verified(self, goals: Iterable[str], flows: Iterable[Flow] = ()) -> Model:
        """Derive some relations and, if it was asked for, compare all of them with pyDatalog's. Raises OracleError."""
        goals, flows = tuple(goals), tuple(flows)
        model = self.solve(goals, flows)
        self.verify(model, goals, flows)
        return model

    def verify(self, model: Model, relations: Iterable[str], flows: Iterable[Flow] = ()) -> None:
        """If it was asked for, derive the relations of an answer by pyDatalog and compare.

        Raises OracleError with the first tuple that only one evaluator derives: such an answer must not be given.
        """
        if not self.given.verify:
            return
        from liqo_connectivity.engine.pydatalog import second_opinion

        derived = sorted(name for name in set(relations) if name in model.program.rules_by_head)
        second = second_opinion.evaluate_relations(model.program, self.facts(flows), derived, limits=self._limits())
        difference = second_opinion.first_difference(model, second)
        if difference is not None:
            raise OracleError(f"the evaluators disagree, so no answer is given: {difference}")

    def _limits(self) -> "ChildLimits":
        from liqo_connectivity.engine.pydatalog.child_process import ChildLimits

        return ChildLimits(self.given.seconds, self.given.megabytes)
