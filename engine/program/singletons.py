"""Variables that occur once in a clause: each matches any value, so a misspelt name silently widens the rule.

A variable counts as read if some alternative of the clause reads it twice. A name that begins with ``_`` says that any
value is meant, as in Soufflé.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from liqo_connectivity.engine.syntax import normalization
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic
from liqo_connectivity.engine.syntax.nodes import Clause, Literal_, Statement, Variable, aggregate_of, variables


def check_singletons(statements: Iterable[Statement]) -> list[Diagnostic]:
    """Report each variable that occurs once in its clause, or once inside an aggregate and not outside (DL102)."""
    found: list[Diagnostic] = []
    for clause in statements:
        if isinstance(clause, Clause) and clause.body is not None:
            found += map(_finding, _singletons(clause))
    return found


def _singletons(clause: Clause) -> Iterator[Variable]:
    heads = [v for head in clause.heads for v in variables(head)]
    first: dict[object, Variable] = {}
    most: Counter[object] = Counter()
    for body in normalization.alternatives(clause.body) if clause.body else ():
        scoped = normalization.scoped(body, (v.name for v in heads))
        occurrences: list[tuple[object, Variable]] = [(v.name, v) for v in heads]
        for item in scoped:
            occurrences += [(v.name, v) for v in variables(item)]
            occurrences += _local(item)
        for key, variable in occurrences:
            first.setdefault(key, variable)
        for key, number in Counter(key for key, _ in occurrences).items():
            most[key] = max(most[key], number)
    yield from (variable for key, variable in first.items() if most[key] == 1 and not variable.name.startswith("_"))


def _local(item: Literal_) -> Iterator[tuple[object, Variable]]:
    """Yield the variables that only an aggregate's body has, each with its name and the aggregate's place."""
    aggregate = aggregate_of(item)
    if aggregate is None:
        return
    targets = (aggregate.target,) if aggregate.target else ()
    for variable in (*targets, *(v for literal in aggregate.body for v in variables(literal))):
        if variable.name not in aggregate.outer:
            yield (variable.name, aggregate.span), variable


def _finding(variable: Variable) -> Diagnostic:
    message = f"{variable.name} occurs once, so that it matches any value"
    hint = f"correct the name if another variable was meant; otherwise write _, or _{variable.name}"
    return Diagnostic("DL102", "warning", message, variable.span, help=hint)
