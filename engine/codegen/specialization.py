"""Generates the functions of one program: they load a rule, propagate a change or rank a derivation.

Each is written once per program and kept as compiled source; each database binds it to its own tables on first use. A
function for changes does the work of all rules that read a relation, in one pass.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from liqo_connectivity.engine.codegen.nested_loops import Block, Charge, Join, Names, row_name, write_head
from liqo_connectivity.engine.codegen.source import Capture, Template, Writer, remembered, tuple_of
from liqo_connectivity.engine.plan.join_steps import JoinStep, Scan, backward_steps, delta_steps, full_steps
from liqo_connectivity.engine.plan.occurrences import Dataflow, Occurrence
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    variables,
)

NO_RANK: Final = 2**62
"""The rank of a row without a derivation."""


@dataclass
class Specializer:
    """Writes and caches the functions of one program.

    ``profiled`` ones count probes, instances and seconds per rule; ``limited`` ones count rows for the limits.
    """

    flow: Dataflow
    profiled: bool = False
    limited: bool = False
    _kept: dict[tuple[str, str | int], Template] = field(default_factory=dict[tuple[str, str | int], Template])

    def load(self, rule: Rule) -> Template:
        """``f()``: count the head of each instance of a rule; for a recursive component, ``min`` or ``max`` only note it."""
        # Known by its identity, since the flow keeps the rule: hashing all of it takes long.
        return self._keep("load", id(rule), lambda: remembered(self._key(rule), lambda: self._load(rule)))

    def positive(self, relation: str) -> Template:
        """``f(rows, sign)``: propagate rows added to a relation, or removed, to the heads of the rules that read it."""
        found = self.flow.reads.positive.get(relation, ())
        return self._keep("positive", relation, lambda: self._changes("positive", relation, found))

    def negative(self, relation: str) -> Template:
        """``f(rows, sign)``: the same for the rules that negate it."""
        found = self.flow.reads.negative.get(relation, ())
        return self._keep("negative", relation, lambda: self._changes("negative", relation, found))

    def inner(self, relation: str) -> Template:
        """``f(rows, sign)``: the same for the rules of the relation's recursive component."""
        return self._keep("inner", relation, lambda: self._changes("inner", relation, self.flow.inner_reads(relation)))

    def forward(self, relation: str) -> Template:
        """``f(row, found)``: append ``(relation, head, rank)`` for each instance of the row's component that reads it."""
        return self._keep("forward", relation, lambda: self._forward(relation))

    def backward(self, relation: str) -> Template:
        """``f(row, found)``: append the rank of a row from each instance that derives it."""
        return self._keep("backward", relation, lambda: self._backward(relation))

    def _key(self, rule: Rule) -> str:
        """Return all that the function to load a rule depends on."""
        relation = rule.head.relation
        about = relation in self.flow.recursive, self.flow.groups.get(relation), self.profiled, self.limited
        place = f"{rule.number} {rule.span}"
        return "\n".join([place, repr(about), *map(_written, (rule.head, *rule.body))])

    def _keep(self, kind: str, subject: str | int, write: Callable[[], Template]) -> Template:
        found = self._kept.get((kind, subject))
        if found is None:
            found = self._kept[kind, subject] = write()
        return found

    # ---- How each is written ----

    def _load(self, rule: Rule) -> Template:
        writer = Writer()

        def body() -> None:
            join = self._heads(writer, rule, "rows", "1", ())
            self._timed(writer, rule, lambda: join.write(full_steps(rule), {}))

        return writer.finish(writer.function((), body), "load of a rule")

    def _changes(self, kind: str, relation: str, occurrences: Sequence[Occurrence]) -> Template:
        writer = Writer()

        def follow(occurrence: Occurrence, columns: Sequence[str], block: Block) -> None:
            rule, position = occurrence.rule, occurrence.position
            guards = dict.fromkeys(_earlier(rule, position), "rows")
            join = self._heads(writer, rule, "changes", "sign", ("rows", "sign"), guards)._replace(block=block)
            steps = delta_steps(rule, position, occurrence.inside, self.flow.small)
            if join.charge:
                join.charge("1")
            self._timed(writer, rule, lambda: _from_change(join, steps, columns))

        def body() -> None:
            writer.open("for row in rows:")
            columns, block = _columns(writer, occurrences), Block(writer.depth, {})
            for occurrence in occurrences:
                follow(occurrence, columns, block)

        return writer.finish(writer.function(("rows", "sign"), body), f"{kind} changes of a relation")

    def _forward(self, relation: str) -> Template:
        writer, component = Writer(), self._component(relation)

        def follow(rule: Rule, position: int, columns: Sequence[str]) -> None:
            ranked = _positions(rule, component)
            head = writer.capture(Capture("constant", constant=rule.head.relation))

            def emit(names: Names) -> None:
                rank = _rank(writer, rule, ranked, {**names, row_name(position): "row"})
                writer.line(f"found.append(({head}, {writer.row(rule.head.terms, names)}, {rank}))")

            charge = self._charge(writer, rule)
            join = Join(writer, emit, _head_variables(rule), ("row", "found"), kept=frozenset(ranked), charge=charge)
            if charge:
                charge("1")
            _from_change(join, delta_steps(rule, position, small=self.flow.small), columns)

        def body() -> None:
            occurrences = self.flow.inner_reads(relation)
            columns = _columns(writer, occurrences)
            for occurrence in occurrences:
                follow(occurrence.rule, occurrence.position, columns)

        return writer.finish(writer.function(("row", "found"), body), "uses of a row")

    def _backward(self, relation: str) -> Template:
        writer, component = Writer(), self._component(relation)

        def follow(rule: Rule) -> None:
            ranked = _positions(rule, component)
            depth = writer.depth
            names, computed = write_head(writer, rule.head)

            def emit(names: Names) -> None:
                if computed:
                    writer.open(f"if row == {writer.row(rule.head.terms, names)}:")
                writer.line(f"found.append({_rank(writer, rule, ranked, names)})")

            charge = self._charge(writer, rule)
            join = Join(writer, emit, _head_variables(rule), ("row", "found"), kept=frozenset(ranked), charge=charge)
            join.write(backward_steps(rule, component), names)
            writer.depth = depth

        def body() -> None:
            for rule in (rule for c in self.flow.components for rule in c.rules if rule.head.relation == relation):
                follow(rule)

        return writer.finish(writer.function(("row", "found"), body), "derivations of a row")

    def _heads(
        self,
        writer: Writer,
        rule: Rule,
        target: Literal["rows", "changes"],
        sign: str,
        parameters: tuple[str, ...],
        guards: Mapping[int, str] = MappingProxyType({}),
    ) -> Join:
        """Return a join that counts the head of each instance, or only notes it where a count is of no use."""
        relation, groups = rule.head.relation, self.flow.groups
        noted = relation in self.flow.recursive or (relation in groups and not groups[relation].adds)
        heads = writer.capture(Capture("changes" if noted or relation in groups else target, relation))
        counters = writer.capture(Capture("counters", constant=rule.number)) if self.profiled else ""
        summed = groups[relation].target if relation in groups and groups[relation].kind == "sum" else ""

        def emit(names: Names) -> None:
            if counters:
                writer.line(f"{counters}[1] += 1")
            if noted:
                writer.line(f"{heads}[{writer.row(rule.head.terms, names)}] = 0")
                return
            writer.line(f"head = {writer.row(rule.head.terms, names)}")
            weight = f"{sign} * {names[summed]}" if summed else sign
            writer.line(f"{heads}[head] = {heads}.get(head, 0) + {weight}")

        charge = self._charge(writer, rule)
        wanted = _head_variables(rule).union([summed] if summed else ())
        return Join(writer, emit, wanted, parameters, guards, counters=counters, charge=charge)

    def _charge(self, writer: Writer, rule: Rule) -> Charge | None:
        if not self.limited:
            return None

        def charge(number: str) -> None:
            work = writer.capture(Capture("work", constant=str(rule.span)))
            writer.line(f"{work}.left -= {number}")
            writer.line(f"if {work}.left < 0: {writer.capture(Capture('refill'))}({work})")

        return charge

    def _timed(self, writer: Writer, rule: Rule, write: Callable[[], None]) -> None:
        if not self.profiled:
            write()
            return
        clock, counters = writer.capture(Capture("clock")), writer.capture(Capture("counters", constant=rule.number))
        writer.line(f"start = {clock}()")
        write()
        writer.line(f"{counters}[2] += {clock}() - start")

    def _component(self, relation: str) -> frozenset[str]:
        number = self.flow.numbers[relation]
        return frozenset(name for name, other in self.flow.numbers.items() if other == number)


def _columns(writer: Writer, occurrences: Sequence[Occurrence]) -> list[str]:
    """Write the unpacking of ``row``; return the identifiers of its columns."""
    columns = [writer.name("v") for _ in occurrences[0].atom.terms] if occurrences else []
    if columns:
        writer.line(f"{tuple_of(columns)} = row")
    return columns


def _from_change(join: Join, steps: Sequence[JoinStep], columns: Sequence[str]) -> None:
    """Write a join that starts from a row, given the identifiers of its columns."""
    first, *rest = steps
    assert isinstance(first, Scan)
    depth = join.writer.depth
    join.write(rest, join.begin(first, columns))
    join.writer.depth = depth


def _earlier(rule: Rule, position: int) -> list[int]:
    """List the earlier positions that read the same relation with the same sign.

    An instance that reads changed rows at several of them is counted at the first only.
    """
    item = rule.body[position]
    return [
        place
        for place, other in enumerate(rule.body[:position])
        if type(other) is type(item) and _relation(other) == _relation(item)
    ]


def _relation(item: Literal_) -> str | None:
    match item:
        case Atom(relation=relation) | Negation(atom=Atom(relation=relation)):
            return relation
        case _:
            return None


def _positions(rule: Rule, component: Collection[str]) -> list[int]:
    """List the positions of a rule's atoms of the component."""
    return [p for p, item in enumerate(rule.body) if isinstance(item, Atom) and item.relation in component]


def _rank(writer: Writer, rule: Rule, ranked: Sequence[int], names: Names) -> str:
    """Write the rank of an instance's head: one more than that of the highest premise in its component."""
    ranks = [f"{writer.capture(Capture('rows', _relation(rule.body[p]) or ''))}[{names[row_name(p)]}]" for p in ranked]
    if len(ranks) > 1:
        return f"1 + max({', '.join(ranks)})"
    return f"1 + {ranks[0]}" if ranks else str(int(bool(rule.body)))


def _written(item: Literal_ | Term) -> str:
    """Return a text that no other literal or term has, which is quicker to make than ``repr``."""
    match item:
        case Variable(name=name):
            return name
        case Constant(value=value):
            return repr(value)
        case Wildcard():
            return "_"
        case Atom(relation=relation, terms=terms):
            return f"{relation}({_listed(terms)})"
        case Negation(atom=atom):
            return f"!{atom.relation}({_listed(atom.terms)})"
        case Comparison(operator=operator, left=left, right=right):
            return f"{_written(left)} {operator} {_written(right)}"
        case Call(functor=functor, arguments=arguments):
            return f"@{functor}({_listed(arguments)})"
        case Arithmetic() | Aggregate():
            return repr(item)


def _listed(terms: Iterable[Term]) -> str:
    # Most terms are variables: these without a call.
    return ", ".join([term.name if isinstance(term, Variable) else _written(term) for term in terms])


def _head_variables(rule: Rule) -> frozenset[str]:
    return frozenset(v.name for v in variables(rule.head))
