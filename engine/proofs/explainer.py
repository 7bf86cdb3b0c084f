"""The explainer of a model: compiled rules and proofs that the questions about one model share."""

from collections.abc import Iterable

from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.diagnostics import UnknownRelationError


class Explainer:
    """A model, its rules joined backwards, and the least proofs found since its last change.

    It follows the model's version by itself. To explain a database that another thread changes, take a snapshot.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._rules: BackwardRules | None = None

    def rules(self) -> BackwardRules:
        """Return the rules, joined backwards over the model as it is now."""
        found, model = self._rules, self.model
        if found is None or found.tables is not model.tables:
            found = self._rules = BackwardRules(model)
        elif found.version != model.version:
            found.follow(model.version)
        return found

    def prepare(self, relations: Iterable[str]) -> None:
        """Compile the rules and build the indexes that the first proofs of some relations' tuples need.

        It lasts until everything is derived again, as by a load. Raises UnknownRelationError.
        """
        relations = tuple(relations)
        for name in relations:
            if name not in self.model.program.schema.relations:
                raise UnknownRelationError(f"the program declares no relation {name!r}")
        self.rules().prepare(relations)
