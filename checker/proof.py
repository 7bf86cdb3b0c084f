"""Proofs as certificates hold them: a list of numbered steps, of one proof or of several that share it.

Each step is about one tuple, and its premises are later steps, so a proof cannot be circular. In a list of one proof, step 0
is the root, and no two steps are about the same tuple. An error names the step at fault by a JSON pointer (RFC 6901), which
ends in its number.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.dump import row_of
from liqo_connectivity.checker.substitution import Tuple, write_tuple

DERIVED: Final = frozenset({"step", "relation", "row", "height", "rule", "premises"})
FACT: Final = frozenset({"step", "relation", "row", "height", "sources"})


class RejectedError(Exception):
    """A certificate is wrong: the first node at fault, what it claims, and what is wrong."""

    def __init__(self, pointer: str, claim: str, problem: str) -> None:
        super().__init__(f"{pointer or '/'}{f' ({claim})' if claim else ''}: {problem}")
        self.pointer = pointer
        self.claim = claim
        self.problem = problem


@dataclass(frozen=True, slots=True, eq=False)
class ProofStep:
    """One step of a proof: its number, its pointer, its fields, and the tuple that it speaks of."""

    proof: "Steps"
    number: int
    place: str
    fields: Mapping[str, object]
    tuple: Tuple

    @property
    def height(self) -> int:
        """Give the height that the step claims."""
        height = self.fields["height"]
        return height if type(height) is int else -1

    def error(self, problem: str, place: str = "") -> RejectedError:
        """Make an error about the step, or about a part of it."""
        return RejectedError(place or self.place, write_tuple(self.tuple), problem)


class Steps:
    """A list of steps. Every step but the roots of proofs must be a premise of an earlier one."""

    def __init__(
        self,
        entries: Sequence[object],
        pointer: str,
        columns: Mapping[str, tuple[str, ...]],
        roots: Collection[int],
        *,
        distinct: bool,
    ) -> None:
        """Read the steps, no two of which may be about the same tuple if they are ``distinct``.

        Raises RejectedError for a malformed one.
        """
        self._distinct = distinct
        self._steps = [self._read(step, f"{pointer}/{n}", n, columns) for n, step in enumerate(entries)]
        self._used = set(roots)

    def __len__(self) -> int:
        """Count the steps."""
        return len(self._steps)

    def __getitem__(self, number: int) -> ProofStep:
        """Give a step by its number."""
        return self._steps[number]

    def in_order(self) -> Iterator[ProofStep]:
        """Give the steps by number. Raises RejectedError for one that no earlier step uses."""
        known: dict[Tuple, int] = {}
        for step in self._steps:
            if step.number not in self._used:
                raise step.error("no step before it rests on it")
            other = known.setdefault(step.tuple, step.number)
            if self._distinct and other != step.number:
                raise step.error(f"step {other} speaks of it already")
            yield step

    def premise(self, user: ProofStep, reference: object, place: str) -> ProofStep:
        """Give the step that another names as a premise. Raises RejectedError."""
        if type(reference) is not int:
            raise user.error("the number of a step is needed here", place)
        if not 0 <= reference < len(self._steps):
            raise user.error(f"there is no step {reference}", place)
        if reference <= user.number:
            problem = f"a step rests on later ones only, and step {reference} is none: a proof has no circles"
            raise user.error(problem, place)
        self._used.add(reference)
        return self._steps[reference]

    def _read(self, step: object, place: str, number: int, columns: Mapping[str, tuple[str, ...]]) -> ProofStep:
        fields = fields_of(step, place)
        relation = fields.get("relation")
        if not isinstance(relation, str) or relation not in columns:
            raise RejectedError(place, "", f"there is no relation {relation!r}")
        row = row_of(fields.get("row"), columns[relation])
        if row is None:
            raise RejectedError(place, relation, "its row does not have the columns of the relation")
        found = ProofStep(self, number, place, fields, (relation, row))
        if type(fields.get("step")) is not int or fields["step"] != number:
            raise found.error(f"its number is {number}, for the steps are numbered in order, from 0")
        if frozenset(fields) not in (DERIVED, FACT):
            raise found.error("a step has a height, and either a rule and premises or sources")
        return found


def steps_of_one(document: object, pointer: str, columns: Mapping[str, tuple[str, ...]]) -> Steps:
    """Read the steps of a proof that has its own. Raises RejectedError for a malformed one."""
    fields = fields_of(document, pointer)
    entries = fields.get("steps")
    if set(fields) != {"minimal", "steps"} or type(fields["minimal"]) is not bool or not isinstance(entries, list):
        raise RejectedError(pointer, "", "a proof has the fields minimal and steps, or minimal and root")
    if not entries:
        raise RejectedError(f"{pointer}/steps", "", "a proof has a step")
    return Steps(cast("list[object]", entries), f"{pointer}/steps", columns, (0,), distinct=True)


def fields_of(node: object, place: str) -> Mapping[str, object]:
    """Give the fields of an object. Raises RejectedError for anything else."""
    if not isinstance(node, dict):
        raise RejectedError(place, "", "an object is needed here")
    return cast("dict[str, object]", node)


def tuples(root: object) -> Iterator[tuple[str, object]]:
    """Give the relations and rows of all tuples that a certificate mentions, unchecked."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            fields = cast("dict[str, object]", node)
            if isinstance(fields.get("relation"), str):
                yield str(fields["relation"]), fields.get("row")
            pending.extend(fields.values())
        elif isinstance(node, list):
            pending.extend(cast("list[object]", node))
