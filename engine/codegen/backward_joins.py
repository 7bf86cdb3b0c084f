"""Generates backward joins: from a row of a rule's head to every choice of rows that derives it.

``nested_loops`` writes the join. It starts from the values of the head and takes the atoms in the order with the fewest
expected rows; the result is the same in every order. An atom with ``_`` yields one instance for each matching row, so
that a proof shows a whole row for each atom.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Literal

from liqo_connectivity.engine.codegen.nested_loops import Join, Names, row_name, write_fold, write_head
from liqo_connectivity.engine.codegen.source import Capture, Template, Writer
from liqo_connectivity.engine.plan.join_order import Cost, flatten, order
from liqo_connectivity.engine.plan.join_steps import goal_steps
from liqo_connectivity.engine.plan.occurrences import projected
from liqo_connectivity.engine.syntax.nodes import Aggregate, Atom, Comparison, Literal_, Variable, variables


def backward_order(head: Atom, body: Sequence[Literal_], cost: Cost | None) -> tuple[int, ...]:
    """Order a body for a join that starts from a row of the head, by the text alone if there is no cost."""
    return tuple(order(_plain(body), _bound(head), cost=cost))


@lru_cache(maxsize=2048)
def backward_join(
    head: Atom,
    body: tuple[Literal_, ...],
    ordered: tuple[int, ...],
    derived: frozenset[str],
    kept: tuple[str, ...],
    counted: bool,
    barred: frozenset[str] | None = None,
) -> Template:
    """``f(row, found, allowance)``: append ``(needs, open, values, ())`` for each instance that derives a row.

    ``needs`` holds a relation and a row for each atom, in the order of the body; ``open`` those of them whose relation
    is among ``derived``; ``values`` the values of the variables ``kept``. The rows read are taken from the allowance, and
    the instances if they are ``counted``. With ``barred``, rows are read in sorted order, and those of these relations
    must not be in ``allowance.barred``.
    """
    writer, parameters = Writer(), ("row", "found", "allowance")
    atoms = {place: item.relation for place, item in enumerate(body) if isinstance(item, Atom)}
    wanted = frozenset(kept).union(v.name for v in variables(head))

    def write() -> None:
        names, computed = write_head(writer, head)

        def emit(names: Names) -> None:
            if computed:
                # The head's computed terms (arithmetic, functors) are known only now.
                writer.open(f"if row == {writer.row(head.terms, names)}:")
            needs = {place: writer.name("n") for place in atoms}
            for place, relation in atoms.items():
                name = writer.capture(Capture("constant", constant=relation))
                writer.line(f"{needs[place]} = ({name}, {names[row_name(place)]})")
            left = [need for place, need in needs.items() if atoms[place] in derived]
            values = writer.row(map(Variable, kept), names)
            writer.line(f"found.append(({_tuple(needs.values())}, {_tuple(left)}, {values}, ()))")
            if counted:
                charge("1", "instances")

        def charge(number: str, kind: str = "rows") -> None:
            writer.line(f"allowance.{kind} -= {number}")
            writer.line(f"if allowance.{kind} < 0: allowance.spent()")

        guards = {
            place: f"allowance.barred[{writer.capture(Capture('constant', constant=relation))}]"
            for place, relation in atoms.items()
            if relation in (barred or ())
        }
        join = Join(
            writer,
            emit,
            wanted,
            parameters,
            guards,
            kept=frozenset(atoms),
            charge=charge,
            arrange="" if barred is None else "allowance.sorted",
        )
        join.write(goal_steps(_plain(body), ordered, _bound(head)), names)

    return writer.finish(writer.function(parameters, write), "derivations of a row")


@lru_cache(maxsize=256)
def extreme(
    head: Atom, body: tuple[Literal_, ...], ordered: tuple[int, ...], kind: Literal["min", "max"], target: str
) -> Template:
    """``f(row, found, allowance)``: put the least or greatest value of a variable into the list ``found``."""
    writer, parameters = Writer(), ("row", "found", "allowance")

    def charge(number: str) -> None:
        writer.line(f"allowance.rows -= {number}")
        writer.line("if allowance.rows < 0: allowance.spent()")

    def write() -> None:
        names, _ = write_head(writer, head)

        def emit(inside: Names) -> None:
            write_fold(writer, kind, "found", inside[target])

        join = Join(
            writer,
            emit,
            frozenset((target,)),
            parameters,
            charge=charge,
            distinct=True,
        )
        join.write(goal_steps(_plain(body), ordered, _bound(head)), names)

    return writer.finish(writer.function(parameters, write), "best value of a group")


def _tuple(names: Collection[str]) -> str:
    return f"({''.join(name + ', ' for name in names)})"


def _bound(head: Atom) -> set[str]:
    return {term.name for term in head.terms if isinstance(term, Variable)}


def _plain(body: Sequence[Literal_]) -> list[Literal_]:
    """Flatten a body, and make negations with ``_`` read projections."""
    plain, _ = flatten(body)
    return [_projected(item) for item in plain]


def _projected(item: Literal_) -> Literal_:
    match item:
        case Comparison(
            operator=operator, left=left, right=Aggregate(kind=kind, target=target, body=body, outer=outer)
        ):
            inner = tuple(_projected(literal) for literal in body)
            return Comparison(operator, left, Aggregate(kind, target, inner, outer), item.span)
        case _:
            return projected(item, {})
