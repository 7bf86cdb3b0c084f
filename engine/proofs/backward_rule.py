"""One rule, joined backwards: from a row of its head to the instances that derive the row, and their premises."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

from liqo_connectivity.engine.proofs.allowance import Allowance, Barred, FirstOnly, OverBudgetError
from liqo_connectivity.engine.proofs.premises import Premises
from liqo_connectivity.engine.proofs.rule_instances import BackwardJoin, Instance
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import Constant, Row, Rule


class BackwardRule:
    """A rule, joined backwards. ``least`` is a lower bound of its heights, ``lowest`` is 0 without a body, else 1."""

    def __init__(
        self,
        rule: Rule,
        least: int,
        derived: frozenset[str],
        tables: Mapping[str, Table],
        functors: Mapping[str, Functor],
        component: frozenset[str],
    ) -> None:
        """``component`` holds the relations of the rule's recursive component; it is empty outside recursion."""
        self.rule = rule
        self._component = component
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

    @cached_property
    def _in_order(self) -> BackwardJoin:
        head, body = self.rule.head, self.rule.body
        return BackwardJoin(head, body, self._derived, self._tables, self._functors, barred=self._component)

    def instances(self, row: Row, allowance: Allowance) -> list[Instance]:
        """List the instances that derive a row. Raises OverBudgetError."""
        return self._body.instances(row, allowance) if self._can_derive(row) else []

    def first(self, row: Row, barred: Mapping[str, Barred], looked: FirstOnly) -> Instance | None:
        """Return the first instance in sorted order that derives a row from premises that are not barred.

        It takes no longer than the join that has derived the row, and keeps one instance.
        """
        found: list[Instance] = []
        if self._can_derive(row):
            looked.begin(barred)
            with suppress(OverBudgetError):
                self._in_order.join(row, found, looked)
        if found and self._in_order.aggregates:
            return self._in_order.witnessed(found, Allowance(None))[0]
        return found[0] if found else None

    def _can_derive(self, row: Row) -> bool:
        # Rules often differ by a constant in the head: a rule whose constant is never asked for is never compiled.
        return all(row[column] == value for column, value in self._constants)
