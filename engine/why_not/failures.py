"""Why a tuple is missing: for each rule that could derive it, how far the rule gets and what fails.

The failed derivations of why-not provenance (Huang, Chen, Doan, Naughton, "On the provenance of non-answers", VLDB
2008; Lee, Ludäscher, Glavic, "PUG", VLDB Journal 2019), but only the furthest of each rule: the longest part of the
body that holds, the first literal that fails under those values, and why that one fails in turn. The rules that could
derive a missing tuple explain it; a proof explains a tuple that a negation forbids. The search asks the user nothing,
and a budget of rows keeps it short.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.provenance import prove
from liqo_connectivity.engine.syntax.arithmetic import EvaluationError
from liqo_connectivity.engine.syntax.diagnostics import DatalogError
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Rule,
    Term,
    Variable,
    Wildcard,
)
from liqo_connectivity.engine.syntax.printer import format_atom
from liqo_connectivity.engine.syntax.substitution import ground
from liqo_connectivity.engine.why_not.absence import Absence, Failure
from liqo_connectivity.engine.why_not.partial_match import (
    Budget,
    Environment,
    PartialMatch,
    aggregated,
    fixed,
    longest_match,
    matching,
)

DEPTH: Final = 3
"""The number of rules through which a failure is followed."""
ROWS: Final = 400
"""The number of rows that one explanation tries."""
_RULE_COST: Final = 5
_COMPUTED: Final = (Arithmetic, Call, Aggregate)


def why_not(explainer: Explainer, goal: Atom, depth: int = DEPTH, rows: int = ROWS) -> Absence | None:
    """Explain why nothing matches a goal; ``None`` if something does.

    The goal's terms are constants, variables and ``_``. A failure is followed through ``depth`` rules, until about
    ``rows`` rows were tried. The model must hold all relations that the goal depends on. Raises UnknownRelationError,
    and DatalogError for an invalid goal.
    """
    model = explainer.model
    declaration = model.program.schema.relations.get(goal.relation)
    if declaration is not None and len(declaration.columns) != len(goal.terms):
        wanted, given = len(declaration.columns), len(goal.terms)
        raise DatalogError(f"{goal.relation} has {wanted} columns, and the goal {given}")
    if any(isinstance(term, _COMPUTED) for term in goal.terms):
        raise DatalogError(f"the terms of a goal are constants, variables and _: {format_atom(goal)}")
    for column, term in zip(declaration.columns if declaration is not None else (), goal.terms, strict=False):
        root = model.program.schema.root(column.type)
        if isinstance(term, Constant) and isinstance(term.value, int) != (root == "number"):
            raise DatalogError(f"column {column.name} of {goal.relation} holds a {root}: {format_atom(goal)}")
    if any(True for _ in matching(model, goal, {})):
        return None
    return _Explanation(explainer, rows).explain(goal, depth, ())


class _Explanation:
    """Builds one explanation, and explains no goal twice."""

    def __init__(self, explainer: Explainer, rows: int) -> None:
        self._explainer = explainer
        self._model = explainer.model
        self._functors = explainer.model.program.functors
        self._budget = Budget(rows)
        self._known: dict[tuple[Atom, int], Absence] = {}
        self._proofs: dict[tuple[str, Row], Proof | None] = {}

    def explain(self, goal: Atom, depth: int, above: tuple[Atom, ...]) -> Absence:
        goal = _canonical(goal)
        rules = self._model.program.rules_by_head.get(goal.relation, ())
        if not rules:
            return Absence(goal, "asserted")
        if all(_unify(rule.head, goal) is None for rule in rules):
            return Absence(goal, "derived", (), rules)
        if goal in above:
            return Absence(goal, "above")
        if depth <= 0 or self._budget.rows <= 0:
            return Absence(goal, "depth")
        if (goal, depth) not in self._known:
            self._known[goal, depth] = self._derived(goal, rules, depth, (*above, goal))
        return self._known[goal, depth]

    def _derived(self, goal: Atom, rules: tuple[Rule, ...], depth: int, above: tuple[Atom, ...]) -> Absence:
        found: list[tuple[Rule, PartialMatch]] = []
        others: list[Rule] = []
        for rule in rules:
            unified = _unify(rule.head, goal)
            if unified is None:
                others.append(rule)
                continue
            values, equations = unified
            self._budget.rows -= _RULE_COST
            found.append((rule, longest_match(self._model, (*rule.body, *equations), values, self._budget)))
        found.sort(key=lambda pair: (-pair[1].holding, len(pair[1].body), pair[0].number))
        failures = tuple(self._failure(rule, match, depth, above) for rule, match in found)
        return Absence(goal, "derived", failures, tuple(others))

    def _failure(self, rule: Rule, match: PartialMatch, depth: int, above: tuple[Atom, ...]) -> Failure:
        values = dict(match.values)
        if match.holding == len(match.body):
            # Facts of a program and comparisons of constants are bodies too; a satisfied one derives its head.
            raise AssertionError(f"{format_atom(rule.head)} is derivable, but not in the model")
        holding = tuple(self._shown(item, values, match.written) for item in match.body[: match.holding])
        failing = match.body[match.holding]
        shown = self._shown(failing, values, match.written)
        because: Absence | Proof | None = None
        if isinstance(shown, Atom):
            because = self.explain(shown, depth - 1, above)
        elif isinstance(shown, Negation) and not any(isinstance(t, _COMPUTED) for t in shown.atom.terms):
            because = self._prove(shown.atom)
        elif isinstance(failing, Comparison) and isinstance(failing.right, Aggregate):
            because = self._extreme(failing.right, values, depth, above)
        return Failure(rule, holding, shown, because, match.complete)

    def _extreme(
        self, aggregate: Aggregate, values: Environment, depth: int, above: tuple[Atom, ...]
    ) -> "Absence | Proof | None":
        """Explain the ``min`` or ``max`` over one plain atom: the tuple that has the value, or why there is none."""
        (item, *more), target = aggregate.body, aggregate.target
        if more or target is None or not isinstance(item, Atom) or any(isinstance(t, _COMPUTED) for t in item.terms):
            return None
        known = {name: values[name] for name in aggregate.outer}
        found = aggregated(self._model, aggregate, known)
        atom = fixed(item, known if found is None else {**known, target.name: found}, self._functors)
        return self.explain(atom, depth - 1, above) if found is None else self._prove(atom)

    def _prove(self, present: Atom) -> Proof | None:
        row = min(matching(self._model, present, {}))
        if (present.relation, row) not in self._proofs:
            self._proofs[present.relation, row] = prove(self._explainer, present.relation, row)
        return self._proofs[present.relation, row]

    def _shown(self, item: Literal_, values: Environment, written: Mapping[str, Term]) -> Literal_:
        if isinstance(item, Comparison):
            left, right = (_filled(side, values, written) for side in (item.left, item.right))
            return Comparison(item.operator, left, right, item.span)
        atom = item.atom if isinstance(item, Negation) else item
        # Arithmetic without a value is shown as written, with its operands.
        with suppress(EvaluationError):
            atom = fixed(atom, values, self._functors)
        atom = Atom(atom.relation, tuple(_filled(term, values, written) for term in atom.terms), atom.span)
        return Negation(atom, item.span) if isinstance(item, Negation) else atom


def _canonical(goal: Atom) -> Atom:
    """Keep the constants and repeated variables of a goal; every other term becomes ``_``."""
    names = [term.name for term in goal.terms if isinstance(term, Variable)]
    repeated = dict.fromkeys(name for name in names if names.count(name) > 1)
    number = {name: f"Same{position}" for position, name in enumerate(repeated, 1)}
    terms = tuple(
        Variable(number[term.name])
        if isinstance(term, Variable) and term.name in number
        else term
        if isinstance(term, Constant)
        else Wildcard()
        for term in goal.terms
    )
    return Atom(goal.relation, terms)


def _unify(head: Atom, goal: Atom) -> tuple[Environment, list[Comparison]] | None:
    """Return the values of the head's variables and further equations; ``None`` if the head cannot be the goal."""
    values: Environment = {}
    equations: list[Comparison] = []
    seen: dict[str, Term] = {}
    for term, wanted in zip(head.terms, goal.terms, strict=True):
        if isinstance(wanted, Variable):
            if wanted.name in seen:
                equations.append(Comparison("=", seen[wanted.name], term))
            seen.setdefault(wanted.name, term)
        elif isinstance(wanted, Constant):
            if isinstance(term, Constant):
                if term.value != wanted.value:
                    return None
            elif isinstance(term, Variable):
                if values.setdefault(term.name, wanted.value) != wanted.value:
                    return None
            else:
                equations.append(Comparison("=", wanted, term))
    return values, equations


def _filled(term: Term, values: Environment, written: Mapping[str, Term]) -> Term:
    """Write values into a term; a variable made by flattening becomes the author's term again."""
    if isinstance(term, Variable) and term.name not in values:
        term = written.get(term.name, term)
    return ground(term, values)
