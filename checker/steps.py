"""One proof, checked step by step: each step is an instance of a trusted rule, each leaf a fact, each absence real.

An error names the first node at fault by its JSON pointer (RFC 6901): the steps in order, then what is claimed to be
absent, least or counted, the last first.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from liqo_connectivity.checker.consequences import Consequences, value
from liqo_connectivity.checker.dialect import read_comparison, read_rule
from liqo_connectivity.checker.dump import ASKED, SourcedFacts, source_of
from liqo_connectivity.checker.functors import UndefinedError
from liqo_connectivity.checker.proof import ProofStep, RejectedError, Steps, fields_of, steps_of_one
from liqo_connectivity.checker.substitution import Tuple, agrees, fill_in, unify, value_if_known, write, write_tuple
from liqo_connectivity.checker.syntax import Aggregate, Literal, Row, Rule, TrustedRules, Value, Variable, Wildcard


@dataclass(slots=True)
class StepChecker:
    """Checks proofs against trusted rules, facts, and all that follows from them; counts what it has checked."""

    rules: TrustedRules
    facts: SourcedFacts
    asked: Mapping[str, AbstractSet[Row]]
    follows: Consequences
    derived: int = 0
    leaves: int = 0
    absences: int = 0
    _shared: Steps | None = None
    _known: dict[str, list[Rule]] = field(default_factory=dict[str, list[Rule]])
    _later: "list[Callable[[], None]]" = field(default_factory=list["Callable[[], None]"])

    def check(self, document: object, pointer: str) -> Tuple:
        """Check a proof; give the tuple that it proves. Raises RejectedError."""
        fields = fields_of(document, pointer)
        if "root" in fields:
            root = fields["root"]
            if set(fields) != {"minimal", "root"} or type(root) is not int:
                raise RejectedError(pointer, "", "a proof has the fields minimal and steps, or minimal and root")
            if self._shared is None or not 0 <= root < len(self._shared):
                raise RejectedError(f"{pointer}/root", str(root), "there is no such step")
            return self._shared[root].tuple
        steps = steps_of_one(document, pointer, self.rules.columns)
        self._check(steps)
        return steps[0].tuple

    def check_shared(self, entries: Sequence[object], roots: Collection[int]) -> None:
        """Check the steps that proofs share, each once, of which some are their roots. Raises RejectedError.

        Two proofs may prove a tuple in different ways, if the search for one of them ended early.
        """
        self._shared = Steps(entries, "/steps", self.rules.columns, roots, distinct=False)
        self._check(self._shared)

    def _check(self, steps: Steps) -> None:
        for step in steps.in_order():
            if "rule" in step.fields:
                self._instance(step)
            else:
                self._leaf(step)
        # Checks against the consequences run last, the last step first, so that a cause is reported before its effects.
        later = self._later[::-1]
        self._later.clear()
        for judge in later:
            judge()

    def _leaf(self, step: ProofStep) -> None:
        relation, row = step.tuple
        self.leaves += 1
        sources = step.fields["sources"]
        if step.height != 0 or not isinstance(sources, list):
            raise step.error("a fact has the height 0 and sources")
        if relation in ASKED:
            if row not in self.asked.get(relation, ()) or sources:
                raise step.error("it is no question of this certificate")
            return
        known = self.facts.get(relation, {}).get(row)
        if known is None:
            raise step.error("it has no rule, and the facts do not hold it")
        claimed = [fields_of(s, f"{step.place}/sources/{n}") for n, s in enumerate(cast("list[object]", sources))]
        if not claimed or any(source_of(source) not in known for source in claimed):
            raise step.error("its sources are not those of the facts")

    def _instance(self, step: ProofStep) -> None:
        """Check a derived tuple against its rule and the tuples that its premises name."""
        self.derived += 1
        rule = self._rule(step)
        if rule.head.name != step.tuple[0]:
            raise step.error(f"its rule derives {rule.head.name}")
        values: dict[str, Value] = {}
        if not unify(rule.head.terms, step.tuple[1], values):
            raise step.error("the head of its rule cannot be this tuple")
        below = self._conjunction(step, rule.body, step.fields["premises"], f"{step.place}/premises", values)
        if not agrees(rule.head.terms, step.tuple[1], values):
            raise step.error("the head of its rule has other values")
        height = 1 + max((premise.height for premise in below), default=0) if rule.body else 0
        if step.height != height:
            raise step.error(f"its height is {height}")

    def _conjunction(
        self, step: ProofStep, body: Sequence[Literal], claimed: object, place: str, values: dict[str, Value]
    ) -> list[ProofStep]:
        """Check that premises fit the literals of a body; complete the values, and give the steps that are named."""
        premises = cast("list[object]", claimed) if isinstance(claimed, list) else []
        if len(premises) != len(body) or not isinstance(claimed, list):
            raise step.error(f"{len(body)} conditions need a premise each", place.rpartition("/")[0])
        places = [
            (literal, premise, f"{place}/{n}") for n, (literal, premise) in enumerate(zip(body, premises, strict=True))
        ]
        below: dict[str, ProofStep] = {}
        for literal, premise, where in places:
            if literal.kind == "atom":
                below[where] = found = step.proof.premise(step, premise, where)
                if found.tuple[0] != literal.name or not unify(literal.terms, found.tuple[1], values):
                    raise _unfit(literal, found, where, values)
        self._solve(body, values)
        witnesses: list[ProofStep] = []
        for literal, premise, where in places:
            aggregates = [term for term in literal.terms if isinstance(term, Aggregate)]
            if aggregates:
                witnesses += self._aggregated(step, body, literal, aggregates[0], premise, where, values)
            elif literal.kind == "atom":
                if not agrees(literal.terms, below[where].tuple[1], values):
                    raise _unfit(literal, below[where], where, values)
            elif literal.kind == "negation":
                self._absent(literal, _only("absent", premise, where), where, values)
            else:
                self._compared(literal, _only("holds", premise, where), where, values)
                if not self.follows.compare(literal, values):
                    raise RejectedError(where, write(literal, values), "this is not true")
        return [*below.values(), *witnesses]

    def _rule(self, step: ProofStep) -> Rule:
        fields = fields_of(step.fields["rule"], f"{step.place}/rule")
        text, file, line = (fields.get(name) for name in ("text", "file", "line"))
        if not isinstance(text, str) or not isinstance(file, str):
            raise step.error("a rule has a text and a file", f"{step.place}/rule")
        if text not in self._known:
            claimed = read_rule(text)
            self._known[text] = [rule for rule in self.rules.rules if rule == claimed]
        known = self._known[text]
        if not known:
            raise step.error(f"the trusted rules do not hold its rule: {text}")
        # A file added by the user may be named by another path here.
        name = file.rpartition("/")[2]
        if not any((rule.file.rpartition("/")[2], rule.line) == (name, line) for rule in known):
            places = ", ".join(f"{rule.file}:{rule.line}" for rule in known)
            raise step.error(f"its rule is not at {file}:{line}, but at {places}")
        return known[0]

    def _compared(self, literal: Literal, shown: object, where: str, values: Mapping[str, Value]) -> None:
        read = read_comparison(shown) if isinstance(shown, str) else None
        if read is None or read != fill_in(literal, values):
            raise RejectedError(where, str(shown), f"the rule needs {write(literal, values)} here")

    def _aggregated(
        self,
        step: ProofStep,
        body: Sequence[Literal],
        literal: Literal,
        aggregate: Aggregate,
        premise: object,
        where: str,
        values: Mapping[str, Value],
    ) -> list[ProofStep]:
        """Check a comparison with an aggregate, which is computed again, and the instances that are shown for it."""
        fields = fields_of(_only("aggregated", premise, where), where)
        claim, witnesses = str(fields.get("comparison")), fields.get("witnesses")
        self._compared(literal, fields.get("comparison"), where, values)
        result, shown = fields.get("value"), cast("list[object]", witnesses) if isinstance(witnesses, list) else []
        if fields.get("kind") != aggregate.kind or type(result) is not int:
            raise RejectedError(where, claim, f"it is a {aggregate.kind}, and has a value")
        none = (aggregate.kind == "sum" and not shown) or (aggregate.kind == "count" and result == 0)
        if not isinstance(witnesses, list) or bool(shown) == none:
            raise RejectedError(where, claim, "instances of its body are needed, if there are any")

        def judge() -> None:
            if not self.follows.compare(literal, values):
                raise RejectedError(where, claim, "this is not true")
            if none and self.follows.instances(aggregate.body, {name: values[name] for name in aggregate.outer}):
                raise RejectedError(where, claim, "instances of its body are needed, if there are any")
            if self.follows.value(aggregate, values) != result:
                raise RejectedError(where, claim, f"its value is {self.follows.value(aggregate, values)}")
            if fields.get("passedOver") != self._passed_over(body, literal, aggregate, result, values):
                raise RejectedError(where, claim, "other values than these come before its value")

        self._later.append(judge)
        below: list[ProofStep] = []
        for number, witness in enumerate(shown):
            own = {name: values[name] for name in aggregate.outer}
            place = f"{where}/aggregated/witnesses/{number}"
            below += self._conjunction(step, aggregate.body, witness, place, own)
            if aggregate.kind in ("min", "max") and own[cast("Variable", aggregate.target).name] != result:
                raise RejectedError(place, claim, f"this instance does not have the value {result}")
        return below

    def _passed_over(
        self, body: Sequence[Literal], literal: Literal, aggregate: Aggregate, result: int, values: Mapping[str, Value]
    ) -> list[int]:
        """List what the first atom with the variable of ``V = min X : ...`` offers for it and that comes before."""
        name = next((term.name for term in literal.terms if isinstance(term, Variable)), None)
        atoms = [other for other in body if other.kind == "atom" and any(t == Variable(str(name)) for t in other.terms)]
        if aggregate.kind not in ("min", "max") or literal.name != "=" or name is None or not atoms:
            return []
        atom = atoms[0]
        known = {outer: values[outer] for outer in aggregate.outer}
        wanted = [value_if_known(term, known) for term in atom.terms]
        column = atom.terms.index(Variable(name))
        offered = {int(row[column]) for row in self.follows.matching(atom.name, wanted)}
        before = [number for number in offered if (number < result if aggregate.kind == "min" else number > result)]
        return sorted(before, reverse=aggregate.kind == "max")

    def _solve(self, body: Sequence[Literal], values: dict[str, Value]) -> None:
        """Give values to the variables that only equations bind."""
        for _ in body:
            for literal in body:
                if literal.kind != "comparison" or literal.name != "=":
                    continue
                for target, other in (literal.terms, literal.terms[::-1]):
                    if isinstance(target, Variable) and target.name not in values:
                        with suppress(KeyError, UndefinedError):
                            values[target.name] = self.follows.value(other, values)

    def _absent(self, literal: Literal, shown: object, where: str, values: Mapping[str, Value]) -> None:
        self.absences += 1
        claimed = fields_of(shown, where)
        try:
            pattern = [None if isinstance(term, Wildcard) else value(term, values) for term in literal.terms]
        except UndefinedError:
            raise RejectedError(where, literal.name, "it needs arithmetic that has no value") from None
        row = claimed.get("row")
        types = [type(v) for v in cast("list[object]", row)] if isinstance(row, list) else []
        if claimed.get("relation") != literal.name or row != pattern or types != [type(v) for v in pattern]:
            raise RejectedError(where, str(claimed.get("relation")), f"the rule needs {write(literal, values)} here")
        written = write(literal, values)

        def judge() -> None:
            present = self.follows.matching(literal.name, pattern)
            if present:
                raise RejectedError(where, written, f"{write_tuple((literal.name, min(present)))} follows")

        self._later.append(judge)


def _unfit(literal: Literal, found: ProofStep, where: str, values: Mapping[str, Value]) -> RejectedError:
    return found.error(f"the rule needs {write(literal, values)} here, and step {found.number} is not that", where)


def _only(name: str, premise: object, where: str) -> object:
    """Give the one field of a premise that names no step."""
    fields = fields_of(premise, where)
    if set(fields) != {name}:
        raise RejectedError(where, "", f"an object with the field {name} is needed here")
    return fields[name]
