"""The facts of a NamespaceOffloading's clusterSelector: its terms and their requirements, as written.

A namespace's user writes it, so how much of it becomes facts is bounded, and a term that Kubernetes cannot read is a fact too.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

from liqo_connectivity.facts.base.fact import Fact, Source, pointer
from liqo_connectivity.rules import relations

_TERMS: Final = ("spec", "clusterSelector", "nodeSelectorTerms")
_SUBJECTS: Final = (("label", "matchExpressions"), ("field", "matchFields"))
_MOST: Final = 100
"""How many terms, and requirements of a term, are read."""
_MOST_VALUES: Final = 400
"""How many values of a term's requirements are read."""
_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}", re.ASCII)
_VALUE: Final = re.compile(rf"(?:{_NAME})?", re.ASCII)


class _Requirement(NamedTuple):
    """A requirement of a term; ``path`` is that of the requirement in its object."""

    subject: str
    key: str
    operator: str
    values: tuple[str, ...]
    path: tuple[str | int, ...]


def extract_cluster_selector(namespace: str, terms: Sequence[object], source: Source) -> Iterator[Fact]:
    """The facts of the selector's terms, in their order."""
    for index, term in enumerate(terms[: _MOST + 1]):
        path = (*_TERMS, index)
        requirements = _requirements(term, path) if index < _MOST else None
        yield Fact(relations.NamespaceOffloadingTerm(namespace, index), source, pointer(*path), True)
        if requirements is None:
            yield Fact(relations.NamespaceOffloadingBadTerm(namespace, index), source, pointer(*path), True)
            continue
        for number, found in enumerate(requirements):
            row = relations.NamespaceOffloadingRequirement(
                namespace, index, number, found.subject, found.key, found.operator
            )
            yield Fact(row, source, pointer(*found.path, "operator"), found.operator)
            for at, value in enumerate(found.values):
                row_value = relations.NamespaceOffloadingValue(namespace, index, number, found.key, value)
                yield Fact(row_value, source, pointer(*found.path, "values", at), value)


def _requirements(term: object, path: tuple[str | int, ...]) -> list[_Requirement] | None:
    """The requirements of a term; None if it is not one, or too long."""
    fields = _mapping(term)
    found: list[_Requirement] = []
    for subject, name in _SUBJECTS:
        listed = _list(fields.get(name)) if fields is not None else None
        if listed is None or len(listed) > _MOST:
            return None
        for index, written in enumerate(listed):
            requirement = _requirement(subject, written, (*path, name, index))
            if requirement is None:
                return None
            found.append(requirement)
    return found if sum(len(each.values) for each in found) <= _MOST_VALUES else None


def _requirement(subject: str, written: object, path: tuple[str | int, ...]) -> _Requirement | None:
    fields = _mapping(written)
    if fields is None:
        return None
    key, operator, values = fields.get("key"), fields.get("operator"), _list(fields.get("values"))
    if not isinstance(key, str) or not isinstance(operator, str) or values is None:
        return None
    texts = tuple(value for value in values if isinstance(value, str) and _VALUE.fullmatch(value))
    if len(texts) < len(values) or not operator.isalpha() or not _KEY.fullmatch(key):
        return None
    return _Requirement(subject, key, operator, texts, path)


def _mapping(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _list(value: object) -> list[object] | None:
    """A list, empty for a field that is not there; None for anything else."""
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else None
