"""Parsed documents in, one fact base out: counts kinds, and compares objects that are given twice."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from liqo_connectivity.facts.base.fact import Fact, ObjectKey
from liqo_connectivity.facts.base.fact_base import FactBase
from liqo_connectivity.facts.base.problems import Problem, one_line
from liqo_connectivity.facts.dumps.dump import FACTS_FILE, Loaded
from liqo_connectivity.facts.extraction.decode import NO_SUCH_FIELD, Decoded, decode_mapping, malformed, name_at
from liqo_connectivity.facts.extraction.kinds import KINDS, kind_of
from liqo_connectivity.facts.extraction.label_facts import named_keys
from liqo_connectivity.facts.objects.field_names import policy_field_hint
from liqo_connectivity.facts.parsing.locators import FixedLine
from liqo_connectivity.facts.reading.envelopes import Enclosed, Listed, Refused, opened
from liqo_connectivity.facts.reading.states import Origin, Place, State, labelled, settle, uids
from liqo_connectivity.rules.relations import (
    KindAbsent,
    Namespace,
    Pod,
    PolicyCreated,
    PolicyTerminating,
    PolicyUnknownField,
    Unreadable,
)

_NAMING: Final = frozenset({"PeeringConnectivity", FACTS_FILE})
"""Kinds of sources of the facts about selectors."""
_CLUSTER: Final = ObjectKey("Namespace", "", "kube-system")
"""The object whose uid stands for its cluster: nobody can delete it."""
_SERVERS: Final = (PolicyCreated, PolicyTerminating)
"""What the API server alone says of a policy."""
_NOWHERE: Final = Place(Origin("", FixedLine(0)), ())


Edits: TypeAlias = Mapping[ObjectKey, tuple[Fact, ...]]
"""The facts of policies as an edit would leave them."""


class Reading(NamedTuple):
    """Everything that was read.

    ``problems`` are sorted by file and line. ``objects`` counts the objects that were read, by kind, and
    ``unknown_kinds`` those that were not, by ``apiVersion kind``. ``absent`` are the kinds of which there was none, sorted:
    nothing says whether the cluster has none. ``passed_over`` are the files of folders that were not read, sorted, and
    ``logs`` counts the logs of containers that stood between objects. ``kept`` are the objects that the caller asked for and
    no rule reads, as parsed, with their files.
    """

    base: FactBase
    problems: tuple[Problem, ...]
    unknown_kinds: Mapping[str, int]
    objects: Mapping[str, int]
    absent: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    logs: int = 0
    kept: tuple[tuple[Mapping[str, object], str], ...] = ()
    edited: "Reading | None" = None
    """The same with other policies in place of those of their names, if the caller gave some."""


class Collector:
    """Takes documents in any order; the result does not depend on it, but for the events of a watch."""

    def __init__(self, keep: Collection[str] = (), edits: Edits | None = None) -> None:
        """``keep`` are the kinds that no rule reads, each as ``group/name``, whose objects are wanted as parsed.

        ``edits`` are the facts of policies that the result has a second time with, each in place of the one of its name.
        """
        self._keep = keep
        self._edits = edits
        self._kept: list[tuple[Mapping[str, object], str]] = []
        self._states: dict[ObjectKey, list[State]] = {}
        self._problems: list[Problem] = []
        self._unknown: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._absent = {kind.name for kind in KINDS}
        self._passed_over: set[str] = set()
        self._logs = 0
        # Of the dumps with Pods or Namespaces, the keys of the labels that they hold.
        self._dumps: dict[str, frozenset[str]] = {}

    def add_document(self, value: object, origin: Origin) -> None:
        """Take one parsed document: an object, a list of objects to any depth, or an event of a watch."""
        for found in opened(value):
            match found:
                case Enclosed():
                    self._add_object(found, Place(origin, found.path))
                case Refused():
                    self._refuse(found, origin)
                case Listed():
                    self._kinds.add(found.kind)

    def add_facts(self, key: ObjectKey, facts: tuple[Fact, ...], origin: Origin) -> None:
        """Take facts that were read from an object before."""
        self._give(Decoded(key, facts, None), State(facts, Place(origin, ())))

    def add_dump(self, loaded: Loaded, origin: Origin) -> None:
        """Take a dump. What it holds nothing of, the cluster had none of, unless the dump itself says otherwise."""
        absent: set[str] = set()
        for key, facts in loaded.facts.items():
            absent.update(fact.row.kind for fact in facts if isinstance(fact.row, KindAbsent))
            rest = tuple(fact for fact in facts if not isinstance(fact.row, KindAbsent))
            if rest:
                self.add_facts(key, rest, origin)
        self._absent &= absent
        every = [fact for facts in loaded.facts.values() for fact in facts]
        if any(isinstance(fact.row, Pod | Namespace) for fact in every):
            self._dumps[origin.file] = named_keys(every)
        for problem in loaded.problems:
            self.add_problem(problem)

    def add_problem(self, problem: Problem) -> None:
        """Take a problem with a part of a file."""
        self._problems.append(problem)
        decoded = malformed(problem)
        self._give(decoded, State(decoded.facts, Place(Origin(problem.file, FixedLine(problem.line)), ())))

    def pass_over(self, file: str) -> None:
        """Note that a file of a folder was not read."""
        self._passed_over.add(file)

    def pass_over_logs(self, count: int) -> None:
        """Note that logs of containers were not read."""
        self._logs += count

    def reading(self) -> Reading:
        """The result. An object whose states contradict each other is unreadable in it."""
        found = self._reading(self._states, self._kinds)
        if self._edits is None:
            return found
        states: dict[ObjectKey, Sequence[State]] = {**self._states}
        kinds = set(self._kinds)
        for key, facts in self._edits.items():
            kinds.add(key.kind)
            stored = settle(self._states.get(key, ()))
            states[key] = [State(_stored_as(facts, stored.facts if stored else ()), _NOWHERE)]
        return found._replace(edited=self._reading(states, kinds))

    def _reading(self, given: Mapping[ObjectKey, Sequence[State]], given_kinds: set[str]) -> Reading:
        base = FactBase()
        objects: Counter[str] = Counter()
        differing: dict[ObjectKey, Sequence[State]] = {}
        keys: frozenset[str] = frozenset()
        # Policies come first: they name the labels that are facts of the others.
        for kinds in (_NAMING, given_kinds - _NAMING):
            for key, states in given.items():
                if key.kind not in kinds:
                    continue
                state = settle(labelled(states, keys))
                if state is None:
                    differing[key] = states
                elif not state.gone:
                    base.replace(key, state.facts)
                    objects[key.kind] += not (state.facts and isinstance(state.facts[0].row, Unreadable))
            keys = named_keys(base.facts())
        conflicts = [*_conflicts(differing), *_missing_labels(self._dumps, keys)]
        for problem in conflicts:
            decoded = malformed(problem)
            base.replace(decoded.key, decoded.facts)
        problems = sorted((*self._problems, *conflicts))
        counts = {kind: count for kind, count in sorted(objects.items()) if count}
        # What a file that could not be read holds, nobody knows: its problem says enough.
        absent = self._absent - given_kinds if all(problem.kind for problem in problems) else set[str]()
        return Reading(
            base,
            tuple(problems),
            dict(sorted(self._unknown.items())),
            counts,
            tuple(sorted(absent)),
            tuple(sorted(self._passed_over)),
            self._logs,
            tuple(self._kept),
        )

    def _add_object(self, found: Enclosed, place: Place) -> None:
        kind = kind_of(found.api_version, found.kind)
        if kind is None:
            if f"{found.api_version.rpartition('/')[0]}/{found.kind}" in self._keep:
                self._kept.append((found.value, place.origin.file))
                return
            self._unknown[one_line(f"{found.api_version} {found.kind}"[:253])] += 1
            return
        decoded = decode_mapping(kind, found.value, place.origin.file)
        if found.gone and decoded.problem is None:
            self._give(decoded, State((), place, watched=True, gone=True))
            return
        if decoded.problem is not None:
            source = decoded.facts[0].source
            problem = decoded.problem._replace(line=place.position(decoded.problem.field).line)
            decoded = malformed(problem, source.uid, source.resource_version)
            self._problems.append(problem)
        elif place.origin.file:
            decoded = self._refuse_unknown_fields(decoded, place)
        self._give(decoded, State(decoded.facts, place, found.watched, labels=decoded.labels))

    def _refuse_unknown_fields(self, decoded: Decoded, place: Place) -> Decoded:
        """Refuse an object of a file that has unknown fields; of a stored one, rules say what becomes of it."""
        unknown = [fact for fact in decoded.facts if isinstance(fact.row, PolicyUnknownField)]
        if not unknown:
            return decoded
        problems: list[Problem] = []
        for fact in unknown:
            line, column = place.position(fact.field)
            field, help_text = fact.field, policy_field_hint(fact.field)
            problems.append(Problem(place.origin.file, line, *decoded.key, field, NO_SUCH_FIELD, help_text, column))
        problems.sort()
        self._problems += problems
        source = decoded.facts[0].source
        return malformed(problems[0], source.uid, source.resource_version)

    def _give(self, decoded: Decoded, state: State) -> None:
        key, problem = decoded.key, decoded.problem
        self._kinds.add(key.kind)
        states = self._states.setdefault(key, [])
        if states and problem is not None and not problem.name:
            # Only the line tells unnamed parts of a file apart, and one line may hold several.
            states[0] = states[0]._replace(facts=tuple(dict.fromkeys((*states[0].facts, *state.facts))))
        else:
            states.append(state)

    def _refuse(self, found: Refused, origin: Origin) -> None:
        self.add_problem(
            Problem(
                file=origin.file,
                line=origin.locator.position(found.path).line,
                kind=one_line(found.kind[:253]),
                namespace=name_at(found.value, "metadata", "namespace"),
                name=name_at(found.value, "metadata", "name"),
                message=found.message,
                help=found.help,
            )
        )


def _stored_as(facts: tuple[Fact, ...], stored: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts of an object that an edit would leave: what the API server says of it stays."""
    own = tuple(fact for fact in facts if not isinstance(fact.row, _SERVERS))
    return own + tuple(fact for fact in stored if isinstance(fact.row, _SERVERS))


def _missing_labels(dumps: Mapping[str, frozenset[str]], keys: frozenset[str]) -> Iterator[Problem]:
    """The dumps that lack labels which policies name: a dump holds only those that its policies named."""
    for file, known in sorted(dumps.items()):
        if keys - known:
            message = f"does not hold the labels {', '.join(sorted(keys - known))}, which a policy names"
            yield Problem(file, message=message, help="write the dump again from objects that include the policy")


def _conflicts(differing: Mapping[ObjectKey, Sequence[State]]) -> list[Problem]:
    """The contradictions: a problem for each object, or one if the objects are those of two clusters."""
    several = sorted(key for key, states in differing.items() if len(uids(states)) > 1)
    if _CLUSTER in several or len(several) > 1:
        key = _CLUSTER if _CLUSTER in several else several[0]
        times = "" if key == _CLUSTER else ", or of one at two times"
        more = f", as have {len(several) - 1} other objects" if len(several) > 1 else ""
        found = _places(differing[key])
        message = f"objects of two clusters{times}: {key} has several uids, at {_shown(found)}{more}"
        return [Problem(*found[0], message=message, help="give the files of one cluster, taken at one time")]
    problems: list[Problem] = []
    for key, states in differing.items():
        found = _places(states)
        message = f"different objects have this name, at {_shown(found)}"
        problems.append(Problem(*found[0], *key, message=message, help="keep one of them"))
    return problems


def _places(states: Sequence[State]) -> list[tuple[str, int]]:
    return sorted({(state.place.origin.file, state.place.position("").line) for state in states})


def _shown(places: list[tuple[str, int]]) -> str:
    return " and ".join(f"{file}:{line}" if line else file for file, line in places)
