"""The labels of Pods and Namespaces. Only those become facts whose key a selector of some policy names.

A cluster has many labels, and most of them mean nothing to any policy. All of an object are kept beside its facts, so that
a policy which names another key needs no object to be read again.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import chain

from liqo_connectivity.facts.base.fact import Fact, pointer
from liqo_connectivity.rules import relations

Labels = tuple[str, ...]
"""Keys and values in turn, sorted by key."""


# Most Pods are one of many with the same labels, which then share them.
@lru_cache(maxsize=4096)
def _packed(items: tuple[tuple[str, str], ...]) -> Labels:
    return tuple(chain.from_iterable(sorted(items)))


def packed_labels(labels: Mapping[str, str] | None) -> Labels:
    """Labels in the form in which they are kept."""
    return _packed(tuple(labels.items())) if labels else ()


def named_keys(facts: Iterable[Fact]) -> frozenset[str]:
    """The keys of labels that the selectors of policies name."""
    return frozenset(fact.row.key for fact in facts if isinstance(fact.row, relations.PolicyRequirement))


def with_labels(facts: tuple[Fact, ...], labels: Labels, keys: Collection[str]) -> tuple[Fact, ...]:
    """The facts of a Pod or a Namespace, and of its labels those with certain keys; facts of anything else as they are."""
    if not labels or not keys or not facts:
        return facts
    named = [(key, value) for key, value in zip(labels[::2], labels[1::2], strict=True) if key in keys]
    existence = facts[0]
    match existence.row:
        case relations.Pod(name):
            row_class: type[relations.PodLabel | relations.NamespaceLabel] = relations.PodLabel
        case relations.Namespace(name):
            row_class = relations.NamespaceLabel
        case _:
            return facts
    return (
        *facts,
        *(
            Fact(row_class(name, key, value), existence.source, pointer("metadata", "labels", key), value)
            for key, value in named
        ),
    )


def without_labels(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts of an object but for those of its labels."""
    return tuple(fact for fact in facts if not isinstance(fact.row, relations.PodLabel | relations.NamespaceLabel))
