"""One rule, joined backwards: from a row of its head to the instances that derive the row, and their premises."""

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from liqo_connectivity.engine.proofs.premises import Premises
from liqo_connectivity.engine.proofs.rule_instances import BackwardJoin, Instance
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import Constant, Row, Rule

NEVER: Final = 2**62
"""The height of a tuple without a proof."""


class BackwardRule:
    """A rule, joined backwards. ``least`` is a lower bound of its heights, ``lowest`` is 0 without a body, else 1."""

    def __init__(
        self,
        rule: Rule,
        least: int,
        derived: frozenset[str],
        tables: Mapping[str, Table],
        functors: Mapping[str, Functor],
    ) -> None:
        self.rule = rule
        self.number = rule.number
        self.least = least
        self.lowest = int(bool(rule.body))
        self._constants = [(c, term.value) for c, term in enumerate(rule.head.terms) if isinstance(term, Constant)]
        self._derived = derived
        self._tables = tables
        self._functors = functors

    @cached_property
    def _body(self) -> BackwardJoin:
        return BackwardJoin(self.rule.head, self.rule.body, self._derived, self._tables, self._functors)

    @cached_property
    def premises(self) -> Premises:
        """The premises of its instances."""
        return Premises(self._body, self._functors, self._tables)

    def prepare(self) -> None:
        """Compile the rule and build its indexes, which otherwise the first question about its head does."""
        _ = self.premises

    def instances(self, row: Row) -> list[Instance]:
        """List the instances that derive a row."""
        # Rules often differ by a constant in the head: a rule whose constant is never asked for is never compiled.
        for column, value in self._constants:
            if row[column] != value:
                return []
        return self._body.instances(row)
