"""Builds the indexes of why-not before the first question.

The columns by which the search looks up a rule's literals depend on the goal's bound columns and on the join order, not
on the values. So one walk with bound columns in place of values, to any depth, finds all indexes for the current model.
"""

from collections.abc import Iterable, Iterator, Sequence

from liqo_connectivity.engine.plan.join_order import flatten, order
from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Literal_,
    Negation,
    Variable,
    Wildcard,
    aggregate_of,
    variables,
)
from liqo_connectivity.engine.why_not.partial_match import join_order

_Columns = tuple[int, ...]


def prepare_why_not(explainer: Explainer, relations: Iterable[str]) -> None:
    """Build what the first questions about missing tuples of some relations need, at any depth.

    This includes the proofs that such an explanation can show. It lasts until everything is derived again, as by a
    load. Raises UnknownRelationError.
    """
    relations = tuple(relations)
    explainer.prepare(relations)
    explainer.prepare(_build_indexes(explainer.model, relations))


def _build_indexes(model: Model, relations: Iterable[str]) -> frozenset[str]:
    """Build the indexes; return the relations whose tuples such an explanation may prove."""
    proved: set[str] = set()
    seen: set[tuple[str, _Columns]] = set()
    declared = model.program.schema.relations
    pending = [(name, tuple(range(len(declared[name].columns)))) for name in relations]
    while pending:
        name, columns = pending.pop()
        if (name, columns) in seen:
            continue
        seen.add((name, columns))
        for rule in model.program.rules_by_head.get(name, ()):
            terms = [rule.head.terms[column] for column in columns]
            known = {term.name for term in terms if isinstance(term, Variable)}
            for item, keyed in _lookups(model, rule.body, known):
                atom = item.atom if isinstance(item, Negation) else item
                _build(model, atom, keyed)
                if isinstance(item, Negation):
                    proved.add(atom.relation)
                else:
                    pending.append((atom.relation, keyed))
            for aggregate in filter(None, map(aggregate_of, rule.body)):
                proved |= {item.relation for item in aggregate.body if isinstance(item, Atom)}
    return frozenset(proved)


def _lookups(
    model: Model, body: Sequence[Literal_], known: Iterable[str]
) -> Iterator[tuple[Atom | Negation, _Columns]]:
    """Yield the atoms and negations of a body in search order, each with the columns known at that point."""
    names = set(known)
    for item in join_order(model, flatten(body)[0], names):
        match item:
            case Atom() | Negation():
                yield item, _known_columns(item, names)
            case Comparison(right=Aggregate(body=inner, outer=outer)):
                plain, bound = flatten(inner)[0], set(outer)
                for position in order(plain, bound):
                    literal = plain[position]
                    if isinstance(literal, Atom | Negation):
                        yield literal, _known_columns(literal, bound)
                        # The tuple with the least or greatest value is looked up by the outer variables alone.
                        yield literal, _known_columns(literal, set(outer))
                    bound.update(v.name for v in variables(literal))
            case _:
                pass
        names.update(v.name for v in variables(item))


def _known_columns(item: Atom | Negation, names: set[str]) -> _Columns:
    terms = (item.atom if isinstance(item, Negation) else item).terms
    return tuple(
        column
        for column, term in enumerate(terms)
        if not isinstance(term, Wildcard) and all(v.name in names for v in variables(term))
    )


def _build(model: Model, atom: Atom, columns: _Columns) -> None:
    if 0 < len(columns) < len(atom.terms):
        # The key matches no row: the lookup only makes the model build the index.
        model.find(atom.relation, columns, (0,) * len(columns))
