"""The labels of every Pod and Namespace, and the keys that selectors of policies name: together, which labels are facts.

A policy that names another key changes the facts of the objects that have it, and no object is read again.
"""

from collections.abc import Mapping

from liqo_connectivity.facts import Labels, ObjectKey, named_keys, with_labels
from liqo_connectivity.operator.controller.objects.asserted_facts import Facts
from liqo_connectivity.operator.controller.objects.stored import POLICY, Observed


class KnownLabels:
    """The labels by object, and the keys by policy. One thread changes them; any may ask whether labels are ``news``."""

    def __init__(self) -> None:
        self._labels: dict[ObjectKey, Labels] = {}
        self._named: dict[ObjectKey, frozenset[str]] = {}
        self._keys: frozenset[str] = frozenset()

    def see(self, key: ObjectKey, observed: Observed | None) -> None:
        """Take over the labels that an object has now."""
        if observed is not None and observed.labels:
            self._labels[key] = observed.labels
        else:
            self._labels.pop(key, None)

    def are_news(self, key: ObjectKey, labels: Labels) -> bool:
        """Whether an object had other labels before. A policy may name the key of any of them at any moment."""
        return self._labels.get(key, ()) != labels

    def follow(self, asserted: Mapping[ObjectKey, Facts]) -> frozenset[ObjectKey]:
        """Take over which keys policies name: the objects that have a label of which the key is named now or is no longer."""
        policies = [key for key in asserted if key.kind == POLICY]
        if not policies:
            return frozenset()
        for key in policies:
            named = named_keys(asserted[key])
            if named:
                self._named[key] = named
            else:
                self._named.pop(key, None)
        keys = frozenset[str]().union(*self._named.values())
        changed, self._keys = keys ^ self._keys, keys
        if not changed:
            return frozenset()
        return frozenset(key for key, labels in self._labels.items() if not changed.isdisjoint(labels[::2]))

    def labelled(self, key: ObjectKey, facts: Facts) -> Facts:
        """The facts of an object, with those labels of which policies name the keys."""
        return with_labels(facts, self._labels.get(key, ()), self._keys)
