"""A proof as text: an indented tree of at most a screenful.

The short form keeps what a reader needs to check the verdict: each derived tuple once, and beside it what was looked for
and not found and the object's fields. It leaves out steps that restate the question, constants of the
program and what was proved above; the full form leaves out nothing.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import groupby

from liqo_connectivity.engine import Absent, Aggregated, Holds, Premise, Proof, premises
from liqo_connectivity.facts import Fact, FactBase
from liqo_connectivity.operator.explain.proof_steps import QUESTION, evidence, place, proofs_below, sources, top_down

_PASSED_OVER = 3
"""How many absent tuples are named where an aggregate found its minimum or maximum."""


def proof_lines(node: Proof, base: FactBase, *, full: bool = False) -> list[str]:
    """Lay a proof out as an indented tree, two spaces a step."""
    return list(_full(node, base) if full else _short(node, base))


def _full(root: Proof, base: FactBase) -> Iterator[str]:
    shown: set[int] = set()
    pending: list[tuple[Premise, str]] = [(root, "")]
    while pending:
        node, indent = pending.pop()
        below = premises(node)
        if not isinstance(node, Proof):
            yield f"{indent}{_remark(node)}"
        elif node.rule is None:
            yield f"{indent}{node}  <- {evidence(sources(node, base)) or 'the question'}"
        elif id(node) in shown:
            yield f"{indent}{node}  (as above)"
            below = ()
        else:
            shown.add(id(node))
            yield f"{indent}{node}  [{place(node)}]"
        pending.extend((premise, indent + "  ") for premise in reversed(below))


def _remark(node: Absent | Holds | Aggregated) -> str:
    """Describe on one line a premise that has no proof: an absent tuple, a comparison or an aggregate."""
    match node:
        case Absent():
            return f"not found: {node}"
        case Holds():
            return f"true: {node}"
        case Aggregated():
            value = "" if node.comparison.operator == "=" else f" (the value is {node.value})"
            return "; ".join([f"true: {node}{value}", *_not_found(node.missing())])


def _not_found(absent: Sequence[Absent]) -> list[str]:
    """Name the first few absent tuples on one line; no line if there are none."""
    more = f" and {len(absent) - _PASSED_OVER} more" if len(absent) > _PASSED_OVER else ""
    return [f"not found: {', '.join(map(str, absent[:_PASSED_OVER]))}{more}"] if absent else []


def _short(root: Proof, base: FactBase) -> Iterator[str]:
    if root.rule is None:
        yield f"{root}  <- {evidence(sources(root, base)) or 'the question'}"
        return
    left_out = _restating(root) - {id(root)}
    pending: list[tuple[Proof | str, str]] = [(root, "")]
    while pending:
        node, indent = pending.pop()
        if isinstance(node, str):
            yield indent + node
            continue
        # An earlier sibling may have shown it already.
        if id(node) in left_out:
            continue
        chain = [node]
        while True:
            left_out.add(id(chain[-1]))
            derived, facts, remarks = _parts(chain[-1], left_out)
            if len(derived) != 1 or facts or remarks:
                break
            chain.append(derived[0])
        line = "  ".join([f"{indent}{' <- '.join(map(str, chain))}", f"[{place(chain[-1])}]", *remarks])
        asserting = [evidence(group) for _, group in groupby(_sorted_facts(facts, base), key=lambda fact: fact.source)]
        # What one object says stands beside the tuple; of several, each has a line below it.
        if len(asserting) == 1:
            line = f"{line}  <- {asserting.pop()}"
        yield line
        below: list[Proof | str] = [*derived, *asserting]
        pending.extend((part, indent + "  ") for part in reversed(below))


def _parts(node: Proof, left_out: Container[int]) -> tuple[list[Proof], list[Proof], list[str]]:
    """Split the premises worth showing into derived tuples, facts, and remarks on what was not found or was counted."""
    below = [
        p for premise in node.premises for p in (premises(premise) if isinstance(premise, Aggregated) else [premise])
    ]
    proofs = list(dict.fromkeys(premise for premise in below if isinstance(premise, Proof)))
    derived = [p for p in proofs if p.rule is not None and p.rule.body and id(p) not in left_out]
    facts = [p for p in proofs if p.rule is None and p.relation != QUESTION]
    absent = [premise for premise in below if isinstance(premise, Absent)]
    remarks = [f"not found: {', '.join(map(str, absent))}"] if absent else []
    for premise in node.premises:
        if isinstance(premise, Aggregated):
            first = not premise.aggregate.adds and premise.comparison.operator == "="
            remarks += _not_found(premise.missing()) if first else [_remark(premise)]
    return derived, facts, remarks


def _restating(root: Proof) -> set[int]:
    """Find the steps that only restate the question: the flow is the only fact below them."""
    asking, beyond = set[int](), set[int]()
    for node in reversed(top_down([root], proofs_below)):
        if node.rule is None:
            says_more = node.relation != QUESTION
        else:
            says_more = any(isinstance(p, Absent | Aggregated) or id(p) in beyond for p in node.premises)
        if says_more:
            beyond.add(id(node))
        elif node.rule is None or any(id(p) in asking for p in node.premises):
            asking.add(id(node))
    return asking


def _sorted_facts(nodes: Iterable[Proof], base: FactBase) -> list[Fact]:
    return sorted((fact for node in nodes for fact in sources(node, base)), key=lambda fact: (fact.source, fact.field))
