"""One proof, step by step: each is an instance of a trusted rule, each leaf a fact, each absence one.

A proof is a tree, as certificates hold it. A problem names the first node at fault by its JSON pointer (RFC 6901):
first the steps and facts in the order in which a reader meets them, then what is said to be absent, least or counted,
the deepest first. This module must not know what a proof is for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from liqo_connectivity.checker.consequences import Consequences, value
from liqo_connectivity.checker.dialect import read_comparison, read_rule
from liqo_connectivity.checker.dump import QUESTION, Facts, row_of, source_of
from liqo_connectivity.checker.functors import UndefinedError
from liqo_connectivity.checker.substitution import Tuple, agrees, fill_in, unify, value_if_known, write, write_tuple
from liqo_connectivity.checker.syntax import Any_, Fold, Item, Row, Rule, Rules, Value, Var

Node = tuple[object, str]
"""A part of a certificate, and its pointer."""


class RejectedError(Exception):
    """What claims to be a certificate is none: the first node at fault, what it claims, and what is wrong."""

    def __init__(self, pointer: str, claim: str, problem: str) -> None:
        super().__init__(f"{pointer or '/'}{f' ({claim})' if claim else ''}: {problem}")
        self.pointer = pointer
        self.claim = claim
        self.problem = problem


@dataclass(slots=True)
class Steps:
    """Checks proofs against trusted rules, facts, and all that follows from them; counts what it has checked."""

    rules: Rules
    facts: Facts
    questions: frozenset[Row]
    follows: Consequences
    derived: int = 0
    leaves: int = 0
    absences: int = 0
    _texts: dict[str, Rule | None] = field(default_factory=dict[str, Rule | None])
    _later: "list[tuple[str, Callable[[], None]]]" = field(default_factory=list["tuple[str, Callable[[], None]]"])

    def check(self, root: object, pointer: str) -> Tuple:
        """Check a proof; give the tuple that it proves. Raises RejectedError."""
        path: list[Tuple] = []
        pending: list[Node | None] = [(root, pointer)]
        while pending:
            entry = pending.pop()
            if entry is None:
                path.pop()
                continue
            node, place = entry
            fields = _fields(node, place)
            found = self._tuple(fields, place)
            if found in path:
                raise RejectedError(place, write_tuple(found), "it is used to prove itself")
            if "rule" in fields:
                path.append(found)
                pending.append(None)
                pending += reversed(self._instance(found, fields, place))
            else:
                self._leaf(found, fields, place)
        # What rests on all that follows is judged last, the deepest first: a cause is named before what it causes.
        later = sorted(self._later, key=lambda entry: -entry[0].count("/"))
        self._later.clear()
        for _, judge in later:
            judge()
        return self._tuple(_fields(root, pointer), pointer)

    def _tuple(self, fields: Mapping[str, object], place: str) -> Tuple:
        relation = fields.get("relation")
        if not isinstance(relation, str) or relation not in self.rules.columns:
            raise RejectedError(place, "", f"there is no relation {relation!r}")
        row = row_of(fields.get("row"), self.rules.columns[relation])
        if row is None:
            raise RejectedError(place, relation, "its row does not have the columns of the relation")
        return relation, row

    def _leaf(self, found: Tuple, fields: Mapping[str, object], place: str) -> None:
        relation, row = found
        self.leaves += 1
        sources = fields.get("sources")
        if fields.get("height") != 0 or not isinstance(sources, list):
            raise RejectedError(place, write_tuple(found), "a fact has the height 0 and sources")
        if relation == QUESTION:
            if row not in self.questions or sources:
                raise RejectedError(place, write_tuple(found), "it is no question of this certificate")
            return
        known = self.facts.get(relation, {}).get(row)
        if known is None:
            raise RejectedError(place, write_tuple(found), "it has no rule, and the facts do not hold it")
        claimed = [_fields(s, f"{place}/sources/{n}") for n, s in enumerate(cast("list[object]", sources))]
        if not claimed or any(source_of(source) not in known for source in claimed):
            raise RejectedError(place, write_tuple(found), "its sources are not those of the facts")

    def _instance(self, found: Tuple, fields: Mapping[str, object], place: str) -> list[Node]:
        """Check a step; give the premises that are yet to be proved."""
        self.derived += 1
        rule = self._rule(found, fields.get("rule"), place)
        if rule.head.name != found[0]:
            raise RejectedError(place, write_tuple(found), f"its rule derives {rule.head.name}")
        values: dict[str, Value] = {}
        if not unify(rule.head.terms, found[1], values):
            raise RejectedError(place, write_tuple(found), "the head of its rule cannot be this tuple")
        below = self._conjunction(rule.body, fields.get("premises"), f"{place}/premises", write_tuple(found), values)
        if not agrees(rule.head.terms, found[1], values):
            raise RejectedError(place, write_tuple(found), "the head of its rule has other values")
        height = 1 + max((_height(node) for node, _ in below), default=0) if rule.body else 0
        if fields.get("height") != height or type(fields.get("height")) is not int:
            raise RejectedError(place, write_tuple(found), f"its height is {height}")
        return below

    def _conjunction(
        self, body: Sequence[Item], claimed: object, place: str, claim: str, values: dict[str, Value]
    ) -> list[Node]:
        """Check that premises fit the literals of a body; complete the values, and give what is yet to be proved."""
        premises = cast("list[object]", claimed) if isinstance(claimed, list) else []
        if len(premises) != len(body) or not isinstance(claimed, list):
            raise RejectedError(place.rpartition("/")[0], claim, f"{len(body)} conditions need a premise each")
        places = [(item, premise, f"{place}/{n}") for n, (item, premise) in enumerate(zip(body, premises, strict=True))]
        for item, premise, where in places:
            if item.kind == "atom":
                self._positive(item, premise, where, values)
        self._solve(body, values)
        below: list[Node] = []
        for item, premise, where in places:
            folds = [term for term in item.terms if isinstance(term, Fold)]
            if folds:
                below += self._aggregated(body, item, folds[0], premise, where, values)
            else:
                below += self._condition(item, premise, where, values)
        return below

    def _rule(self, found: Tuple, claimed: object, place: str) -> Rule:
        fields = _fields(claimed, f"{place}/rule")
        text, file, line = (fields.get(name) for name in ("text", "file", "line"))
        if not isinstance(text, str) or not isinstance(file, str):
            raise RejectedError(f"{place}/rule", write_tuple(found), "a rule has a text and a file")
        if text not in self._texts:
            self._texts[text] = read_rule(text)
        known = [rule for rule in self.rules.rules if rule == self._texts[text]]
        if not known:
            raise RejectedError(place, write_tuple(found), f"the trusted rules do not hold its rule: {text}")
        # A file added by the user may be named by another path here.
        name = file.rpartition("/")[2]
        if not any((rule.file.rpartition("/")[2], rule.line) == (name, line) for rule in known):
            places = ", ".join(f"{rule.file}:{rule.line}" for rule in known)
            raise RejectedError(place, write_tuple(found), f"its rule is not at {file}:{line}, but at {places}")
        return known[0]

    def _positive(self, item: Item, premise: object, where: str, values: dict[str, Value]) -> None:
        fields = _fields(premise, where)
        if "relation" not in fields:
            raise RejectedError(where, "", f"a proof of {item.name} is needed here")
        found = self._tuple(fields, where)
        if found[0] != item.name or not unify(item.terms, found[1], values):
            raise RejectedError(where, write_tuple(found), f"the rule needs {write(item, values)} here")

    def _condition(self, item: Item, premise: object, where: str, values: Mapping[str, Value]) -> list[Node]:
        """Check a premise with all values known; give what is yet to be proved: a tuple, or witnesses."""
        fields = _fields(premise, where)
        wanted = write(item, values)
        if item.kind == "atom":
            row = self._tuple(fields, where)[1]
            if not agrees(item.terms, row, values):
                raise RejectedError(where, write_tuple((item.name, row)), f"the rule needs {wanted} here")
            return [(premise, where)]
        if item.kind == "negation":
            self._absent(item, fields, where, values)
            return []
        self._compared(item, fields.get("holds"), where, values)
        if not self.follows.compare(item, values):
            raise RejectedError(where, str(fields.get("holds")), "this is not true")
        return []

    def _compared(self, item: Item, shown: object, where: str, values: Mapping[str, Value]) -> None:
        read = read_comparison(shown) if isinstance(shown, str) else None
        if read is None or read != fill_in(item, values):
            raise RejectedError(where, str(shown), f"the rule needs {write(item, values)} here")

    def _aggregated(
        self, body: Sequence[Item], item: Item, fold: Fold, premise: object, where: str, values: Mapping[str, Value]
    ) -> list[Node]:
        """Check a comparison with an aggregate, which is computed anew, and the instances that are shown for it."""
        fields = _fields(_fields(premise, where).get("aggregated"), where)
        claim, witnesses = str(fields.get("comparison")), fields.get("witnesses")
        self._compared(item, fields.get("comparison"), where, values)
        result, shown = fields.get("value"), cast("list[object]", witnesses) if isinstance(witnesses, list) else []
        if fields.get("kind") != fold.kind or type(result) is not int:
            raise RejectedError(where, claim, f"it is a {fold.kind}, and has a value")
        if not isinstance(witnesses, list) or bool(shown) != (fold.kind != "count" or result != 0):
            raise RejectedError(where, claim, "instances of its body are needed, if there are any")

        def judge() -> None:
            if not self.follows.compare(item, values):
                raise RejectedError(where, claim, "this is not true")
            if self.follows.value(fold, values) != result:
                raise RejectedError(where, claim, f"its value is {self.follows.value(fold, values)}")
            if fields.get("passedOver") != self._passed_over(body, item, fold, result, values):
                raise RejectedError(where, claim, "other values than these come before its value")

        self._later.append((where, judge))
        below: list[Node] = []
        for number, witness in enumerate(shown):
            own = {name: values[name] for name in fold.outer}
            place = f"{where}/aggregated/witnesses/{number}"
            below += self._conjunction(fold.body, witness, place, claim, own)
            if fold.target is not None and own[fold.target.name] != result:
                raise RejectedError(place, claim, f"this instance does not have the value {result}")
        return below

    def _passed_over(
        self, body: Sequence[Item], item: Item, fold: Fold, result: int, values: Mapping[str, Value]
    ) -> list[int]:
        """List what the first atom with the variable of ``V = min X : ...`` offers for it and that comes before."""
        name = next((term.name for term in item.terms if isinstance(term, Var)), None)
        atoms = [other for other in body if other.kind == "atom" and any(t == Var(str(name)) for t in other.terms)]
        if fold.target is None or item.name != "=" or name is None or not atoms:
            return []
        atom = atoms[0]
        known = {outer: values[outer] for outer in fold.outer}
        wanted = [value_if_known(term, known) for term in atom.terms]
        column = atom.terms.index(Var(name))
        offered = {int(row[column]) for row in self.follows.matching(atom.name, wanted)}
        before = [number for number in offered if (number < result if fold.kind == "min" else number > result)]
        return sorted(before, reverse=fold.kind == "max")

    def _solve(self, body: Sequence[Item], values: dict[str, Value]) -> None:
        """Give values to the variables that only equations bind."""
        for _ in body:
            for item in body:
                if item.kind != "comparison" or item.name != "=":
                    continue
                for target, other in (item.terms, item.terms[::-1]):
                    if isinstance(target, Var) and target.name not in values:
                        with suppress(KeyError, UndefinedError):
                            values[target.name] = self.follows.value(other, values)

    def _absent(self, item: Item, fields: Mapping[str, object], where: str, values: Mapping[str, Value]) -> None:
        self.absences += 1
        claimed = _fields(fields.get("absent"), where)
        try:
            pattern = [None if isinstance(term, Any_) else value(term, values) for term in item.terms]
        except UndefinedError:
            raise RejectedError(where, item.name, "it needs arithmetic that has no value") from None
        shown = claimed.get("row")
        types = [type(v) for v in cast("list[object]", shown)] if isinstance(shown, list) else []
        if claimed.get("relation") != item.name or shown != pattern or types != [type(v) for v in pattern]:
            raise RejectedError(where, str(claimed.get("relation")), f"the rule needs {write(item, values)} here")
        written = write(item, values)

        def judge() -> None:
            present = self.follows.matching(item.name, pattern)
            if present:
                raise RejectedError(where, written, f"{write_tuple((item.name, min(present)))} follows")

        self._later.append((where, judge))


def tuples(root: object) -> Iterator[tuple[str, object]]:
    """Give the relations and rows of all tuples that a proof mentions, whatever they are worth."""
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


def _height(node: object) -> int:
    height = cast("dict[str, object]", node).get("height") if isinstance(node, dict) else None
    return height if isinstance(height, int) else 0


def _fields(node: object, place: str) -> Mapping[str, object]:
    if not isinstance(node, dict):
        raise RejectedError(place, "", "an object is needed here")
    return cast("dict[str, object]", node)
