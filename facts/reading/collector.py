"""Parsed documents in, one fact base out: opens lists, counts kinds, and compares objects that are given twice."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, segments
from liqo_connectivity.facts.base.fact_base import FactBase
from liqo_connectivity.facts.base.problems import Problem, one_line
from liqo_connectivity.facts.extraction.decode import Decoded, decode_mapping, malformed, name_at
from liqo_connectivity.facts.extraction.kinds import kind_of
from liqo_connectivity.facts.objects.field_names import policy_field_hint
from liqo_connectivity.facts.parsing.locators import FixedLine, Locator, Position
from liqo_connectivity.rules.relations import PolicyUnknownField, Unreadable

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that was read.

    ``problems`` are sorted by file and line. ``objects`` counts the objects that were read, by kind, and
    ``unknown_kinds`` those that were not, by ``apiVersion kind``.
    """

    base: FactBase
    problems: tuple[Problem, ...]
    unknown_kinds: Mapping[str, int]
    objects: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Origin:
    """A document: the name of its file, and what finds lines in it."""

    file: str
    locator: Locator


class _Place(NamedTuple):
    origin: Origin
    path: Path

    def position(self, field: str) -> Position:
        """Where a field of the object, a JSON pointer, is in its file."""
        return self.origin.locator.position((*self.path, *segments(field)))


class _Given(NamedTuple):
    facts: tuple[Fact, ...]
    place: _Place


class _Pending(NamedTuple):
    value: object
    path: Path
    api_version: str
    kind: str


class Collector:
    """Takes documents in any order; the result does not depend on it."""

    def __init__(self) -> None:
        self._given: dict[ObjectKey, _Given] = {}
        self._repeated: dict[ObjectKey, list[_Place]] = {}
        self._differing: set[ObjectKey] = set()
        self._problems: list[Problem] = []
        self._unknown: Counter[str] = Counter()

    def add_document(self, value: object, origin: Origin) -> None:
        """Take one parsed document: an object, or a list of objects to any depth."""
        pending = [_Pending(value, (), "", "")]
        while pending:
            item = pending.pop()
            if not isinstance(item.value, dict):
                self._refuse(item, origin, "is not a Kubernetes object", "every document and list item must be one")
                continue
            mapping = cast("dict[str, object]", item.value)
            kind = mapping.get("kind", item.kind)
            api_version = mapping.get("apiVersion", item.api_version)
            items = mapping.get("items")
            if not isinstance(kind, str) or not kind:
                missing = "has items but no kind" if isinstance(items, list) else "has no kind"
                self._refuse(item, origin, missing, "the file looks cut off, or is not a Kubernetes object")
            elif not isinstance(api_version, str) or not api_version:
                self._refuse(item, origin, "has no apiVersion", "add it", kind)
            elif kind.endswith("List") and isinstance(items, list):
                nested = (api_version, kind.removesuffix("List")) if kind != "List" else ("", "")
                entries = cast("list[object]", items)
                path = (*item.path, "items")
                pending += [_Pending(entry, (*path, index), *nested) for index, entry in enumerate(entries)][::-1]
            elif kind == "List":
                self._refuse(item, origin, "has no items", "the file looks cut off: write it again", kind)
            else:
                self._add_object(mapping, _Place(origin, item.path), api_version, kind)

    def add_facts(self, key: ObjectKey, facts: tuple[Fact, ...], origin: Origin) -> None:
        """Take facts that were read from an object before, such as those of a dump."""
        self._give(Decoded(key, facts, None), _Place(origin, ()))

    def add_problem(self, problem: Problem) -> None:
        """Take a problem with a part of a file."""
        self._problems.append(problem)
        self._give(malformed(problem), _Place(Origin(problem.file, FixedLine(problem.line)), ()))

    def reading(self) -> Reading:
        """The result. An object that was given with different contents is unreadable in it."""
        base = FactBase()
        problems = list(self._problems)
        objects: Counter[str] = Counter()
        for key, given in self._given.items():
            if key in self._differing:
                problem = _conflict(key, [given.place, *self._repeated[key]])
                problems.append(problem)
                base.replace(key, malformed(problem).facts)
            else:
                base.replace(key, given.facts)
                objects[key.kind] += not (given.facts and isinstance(given.facts[0].row, Unreadable))
        counts = {kind: count for kind, count in sorted(objects.items()) if count}
        return Reading(base, tuple(sorted(problems)), dict(sorted(self._unknown.items())), counts)

    def _add_object(self, mapping: Mapping[str, object], place: _Place, api_version: str, name: str) -> None:
        kind = kind_of(api_version, name)
        if kind is None:
            self._unknown[one_line(f"{api_version} {name}"[:253])] += 1
            return
        decoded = decode_mapping(kind, mapping, place.origin.file)
        if decoded.problem is not None:
            source = decoded.facts[0].source
            problem = replace(decoded.problem, line=place.position(decoded.problem.field).line)
            decoded = malformed(problem, source.uid, source.resource_version)
            self._problems.append(problem)
        elif place.origin.file:
            decoded = self._refuse_unknown_fields(decoded, place)
        self._give(decoded, place)

    def _refuse_unknown_fields(self, decoded: Decoded, place: _Place) -> Decoded:
        """Refuse an object of a file that has unknown fields; of a stored one, rules say what becomes of it."""
        unknown = [fact for fact in decoded.facts if isinstance(fact.row, PolicyUnknownField)]
        if not unknown:
            return decoded
        problems: list[Problem] = []
        for fact in unknown:
            line, column = place.position(fact.field)
            message = "there is no such field"
            field, help_text = fact.field, policy_field_hint(fact.field)
            problems.append(Problem(place.origin.file, line, *decoded.key, field, message, help_text, column))
        problems.sort()
        self._problems += problems
        source = decoded.facts[0].source
        return malformed(problems[0], source.uid, source.resource_version)

    def _give(self, decoded: Decoded, place: _Place) -> None:
        key, facts, problem = decoded
        earlier = self._given.get(key)
        if earlier is None:
            self._given[key] = _Given(facts, place)
        elif problem is not None and not problem.name:
            # Only the line tells unnamed parts of a file apart, and one line may hold several.
            self._given[key] = earlier._replace(facts=tuple(dict.fromkeys((*earlier.facts, *facts))))
        else:
            self._repeated.setdefault(key, []).append(place)
            if earlier.facts != facts and set(earlier.facts) != set(facts):
                self._differing.add(key)

    def _refuse(self, item: _Pending, origin: Origin, message: str, help_text: str, kind: str = "") -> None:
        self.add_problem(
            Problem(
                file=origin.file,
                line=origin.locator.position(item.path).line,
                kind=one_line(kind[:253]),
                namespace=name_at(item.value, "metadata", "namespace"),
                name=name_at(item.value, "metadata", "name"),
                message=message,
                help=help_text,
            )
        )


def _conflict(key: ObjectKey, places: list[_Place]) -> Problem:
    found = sorted({(place.origin.file, place.position("").line) for place in places})
    texts = [f"{file}:{line}" if line else file for file, line in found]
    message = f"different objects have this name, at {' and '.join(texts)}"
    return Problem(*found[0], *key, message=message, help="keep one of them")
