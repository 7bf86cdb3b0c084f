"""Questions about a model, through one explainer for each: a test asks one model many times."""

from collections import deque

from liqo_connectivity import engine
from liqo_connectivity.engine import Absence, Explainer, Model, Proof, Proofs, Row
from liqo_connectivity.engine.proofs.provenance import BUDGET
from liqo_connectivity.engine.syntax.nodes import Atom
from liqo_connectivity.engine.why_not.failures import DEPTH, ROWS

_RECENT: deque[Explainer] = deque(maxlen=8)


def explainer_of(model: Model) -> Explainer:
    """The explainer that was made for a model before, or a new one."""
    found = next((explainer for explainer in list(_RECENT) if explainer.model is model), None)
    if found is None:
        found = Explainer(model)
        _RECENT.append(found)
    return found


def prove(model: Model, relation: str, row: Row, budget: int | None = BUDGET) -> Proof | None:
    return engine.prove(explainer_of(model), relation, row, budget)


def proofs(model: Model, relation: str, row: Row, limit: int, budget: int | None = BUDGET) -> Proofs:
    return engine.proofs(explainer_of(model), relation, row, limit, budget)


def why_not(model: Model, goal: Atom, depth: int = DEPTH, rows: int = ROWS) -> Absence | None:
    return engine.why_not(explainer_of(model), goal, depth, rows)
