"""All relations of a program over one set of facts, derived once and then kept up to date as facts change.

It connects the tables, the generated functions and the maintainer of each component, and updates components in order.
"""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import compress
from time import perf_counter
from typing import cast

from liqo_connectivity.engine.codegen.source import Capture, Template
from liqo_connectivity.engine.codegen.specialization import Specializer
from liqo_connectivity.engine.incremental.aggregate_maintenance import AggregateMaintenance
from liqo_connectivity.engine.incremental.counting import CountMaintenance
from liqo_connectivity.engine.incremental.limits import Limits, Meter
from liqo_connectivity.engine.incremental.propagation import ChangeLog, Follow, Maintainer, Propagator
from liqo_connectivity.engine.incremental.rank_maintenance import RankMaintenance
from liqo_connectivity.engine.incremental.semi_naive import RecursiveRelation, Use
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.arithmetic import calculate
from liqo_connectivity.engine.syntax.nodes import Atom, Row, Rule


class Maintenance:
    """The tables of a program, projections included, and their maintainers.

    ``counters`` maps the number of each rule to its probes, instances and seconds, if the functions are profiled.
    """

    def __init__(
        self, specializer: Specializer, facts: Mapping[str, dict[Row, int]], limits: Limits | None = None
    ) -> None:
        """Hold facts: rows by relation, each with the count 1. The tables keep the dictionaries."""
        self._specializer = specializer
        self._flow = flow = specializer.flow
        self.counters: dict[int, list[float]] = {}
        derived = {name: component for component in flow.components for name in component.relations}
        self.tables: dict[str, Table] = {}
        for name in flow.numbers:
            given = facts.get(name, {})
            number = 0 if name in derived and derived[name].recursive else 1
            rows = dict.fromkeys(given, number) if name in derived else given
            self.tables[name] = Table(name, rows, given)
        self._meter = Meter(flow.program, limits, self.tables) if limits else None
        self.propagators = {name: Propagator(table, self._followers) for name, table in self.tables.items()}
        self._loads: list[Maintainer] = []
        self._maintainers: list[Maintainer] = []
        self._pending: list[dict[Row, int]] = []
        for component in flow.components:
            maintainer = self._maintainer(component)
            for name in component.relations:
                self._maintainers.append(maintainer)
                self._pending.append(self.tables[name].changes)
            self._loads.append(maintainer)

    def load(self) -> None:
        """Derive everything from the facts, once. Raises LimitError, as every later change may."""
        self.begin()
        for maintainer in self._loads:
            maintainer.load()
            if self._meter:
                self._meter.check()

    def begin(self) -> None:
        """Begin something that the limits hold for."""
        if self._meter:
            self._meter.start()

    def update(self, log: ChangeLog) -> None:
        """Apply the collected changes, in order of evaluation."""
        for maintainer in compress(self._maintainers, self._pending):
            maintainer.update(log)

    def release(self) -> None:
        """Drop the references back to this object, so that the tables are freed without garbage collection."""
        self.propagators.clear()
        self._maintainers.clear()
        self._loads.clear()

    def prepare(self) -> None:
        """Make the functions and indexes for every change that facts of ``.input`` relations can cause."""
        changing = self._flow.changing()
        for name, propagator in self.propagators.items():
            if name in changing:
                propagator.prepare()

    def _maintainer(self, component: Component) -> Maintainer:
        if not component.recursive:
            (name,) = component.relations
            if name in self._flow.groups:
                return self._groups(name, component)
            # A generator: whether a rule can fire is known when its turn comes.
            return CountMaintenance(
                self.propagators[name], (self._loader(rule) for rule in component.rules if self._can_fire(rule))
            )
        members = {name: self._member(name) for name in component.relations}
        own = set(component.relations)
        exits = [
            rule for rule in component.rules if not any(isinstance(i, Atom) and i.relation in own for i in rule.body)
        ]
        return RankMaintenance(members, [(int(bool(rule.body)), self._loader(rule)) for rule in exits])

    def _groups(self, name: str, component: Component) -> AggregateMaintenance:
        group = self._flow.groups[name]
        values = None if group.adds else self.tables[group.values]
        return AggregateMaintenance(
            self.propagators[name], group, values, [self._loader(rule) for rule in component.rules]
        )

    def _can_fire(self, rule: Rule) -> bool:
        return all(self.tables[item.relation].rows for item in rule.body if isinstance(item, Atom))

    def _loader(self, rule: Rule) -> Callable[[], None]:
        return lambda: cast("Callable[[], None]", self._make(self._specializer.load(rule)))()

    def _member(self, name: str) -> RecursiveRelation:
        written = self._specializer
        return RecursiveRelation(
            self.propagators[name],
            cache(lambda: cast("Follow", self._make(written.inner(name)))),
            cache(lambda: cast("Callable[[Row, list[Use]], None]", self._make(written.forward(name)))),
            cache(lambda: cast("Callable[[Row, list[int]], None]", self._make(written.backward(name)))),
        )

    def _followers(self, name: str) -> tuple[Follow | None, Follow | None]:
        positive = negative = None
        if name in self._flow.reads.positive:
            positive = cast("Follow", self._make(self._specializer.positive(name)))
        if name in self._flow.reads.negative:
            negative = cast("Follow", self._make(self._specializer.negative(name)))
        return positive, negative

    def _make(self, template: Template) -> object:
        return template.make(self._resolve)

    def _resolve(self, capture: Capture) -> object:
        match capture.kind:
            case "constant":
                return capture.constant
            case "calculate":
                return calculate
            case "clock":
                return perf_counter
            case "work" | "refill":
                assert self._meter is not None
                return self._meter.refill if capture.kind == "refill" else self._meter.work(str(capture.constant))
            case "functor":
                return self._flow.program.functors[capture.name]
            case "counters":
                return self.counters.setdefault(int(capture.constant), [0, 0, 0.0])
            case "rows":
                return self.tables[capture.name].rows
            case "changes":
                return self.tables[capture.name].changes
            case "index":
                return self.tables[capture.name].index(capture.columns)
            case "lookup":
                return self.tables[capture.name].index(capture.columns).get
