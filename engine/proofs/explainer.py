"""The explainer of a model: what proofs and why-not of one model share, kept from one question to the next."""

from collections.abc import Iterable

from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.diagnostics import UnknownRelationError


class Explainer:
    """A model, its rules joined backwards, and the least proofs that were found since its last change.

    It follows the model's version by itself. A database that another thread changes is explained by a snapshot.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._rules: BackwardRules | None = None

    def rules(self) -> BackwardRules:
        """Give the rules, joined backwards over the model as it is now."""
        found, model = self._rules, self.model
        if found is None or found.tables is not model.tables:
            found = self._rules = BackwardRules(model)
        elif found.version != model.version:
            found.follow(model.version)
        return found

    def prepare(self, relations: Iterable[str]) -> None:
        """Compile now what the first proofs of tuples of some relations would, and build the indexes they look into.

        It is good until everything is derived again, as a load does. Raises UnknownRelationError.
        """
        relations = tuple(relations)
        for name in relations:
            if name not in self.model.program.schema.relations:
                raise UnknownRelationError(f"the program declares no relation {name!r}")
        self.rules().prepare(relations)
