"""Why a tuple is missing, as text: a line for each rule that fails, with what it lacks indented below.

The short form follows the rules that get furthest; the full form leaves out nothing.
"""

from collections.abc import Iterator

from liqo_connectivity.engine import (
    Absence,
    Atom,
    Comparison,
    Constant,
    Failure,
    Literal_,
    Negation,
    Proof,
    format_atom,
    format_body,
)
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.proof_steps import caveat
from liqo_connectivity.operator.explain.text.proof import proof_lines

_QUESTION = {"flow", "flow_end", "endpoint"}
_REASONS = {
    "asserted": "no fact asserts it",
    "depth": "not followed any further",
    "above": "as above: it depends on itself",
}


def absence_lines(found: Absence, base: FactBase, *, full: bool = False) -> list[str]:
    """Lay an explanation out as an indented tree, two spaces a step; the first line names the goal."""
    return [f"no {found}{_remark(found)}", *_failures(found, base, full, "  ", {str(found)})]


def failure_lines(found: Absence, base: FactBase, *, full: bool = False) -> list[str]:
    """Lay an explanation out without the line that names the goal."""
    return list(_failures(found, base, full, "", {str(found)}))


def _failures(found: Absence, base: FactBase, full: bool, indent: str, shown: set[str]) -> Iterator[str]:
    for failure in _relevant(found, full):
        yield from _failure(failure, base, full, indent, shown)


def _relevant(found: Absence, full: bool) -> list[Failure]:
    if full:
        return list(found.failures)
    furthest = [f for f in found.failures if len(f.holding) == len(found.failures[0].holding)]
    # Leave out rules that lack what nothing can derive, unless all do.
    return [f for f in furthest if not _is_hopeless(f)] or furthest


def _is_hopeless(failure: Failure) -> bool:
    why = failure.because
    return isinstance(why, Absence) and why.reason == "derived" and not why.failures


def _failure(failure: Failure, base: FactBase, full: bool, indent: str, shown: set[str]) -> Iterator[str]:
    chain: list[str] = []
    after = _given(failure, full)
    while not full and not after and isinstance(failure.because, Absence) and str(failure.because) not in shown:
        # A missing tuple that lacks only one other, with no condition worth naming: both fit on one line.
        below = _relevant(failure.because, full)
        if len(below) != 1 or not isinstance(below[0].because, Absence):
            break
        chain.append(f"no {failure.because} <- ")
        shown.add(str(failure.because))
        failure = below[0]
        after = _given(failure, full)
    place = f"[{failure.rule.span.file}:{failure.rule.span.line}]"
    after += "" if failure.complete else "  (not every possibility was tried)"
    why = failure.because
    if isinstance(why, Absence):
        again = why.reason == "derived" and str(why) in shown
        yield f"{indent}{''.join(chain)}no {why}  {place}{' (as above)' if again else _remark(why)}{after}"
        if not again:
            shown.add(str(why))
            yield from _failures(why, base, full, indent + "  ", shown)
        return
    if isinstance(why, Proof) and isinstance(failure.failing, Negation):
        yield f"{indent}but {format_atom(failure.failing.atom)}  {place}{after}"
    else:
        yield f"{indent}not true: {failure}  {place}{after}"
    lines = [*caveat(why), *proof_lines(why, base, full=full)] if why else []
    yield from (f"{indent}  {line}" for line in lines)


def _given(failure: Failure, full: bool) -> str:
    given = [_held(item) for item in failure.holding if full or not _says_nothing(item)]
    return f"  although {', '.join(given)}" if given else ""


def _says_nothing(item: Literal_) -> bool:
    """Whether a literal only restates the question or only binds a variable."""
    if isinstance(item, Comparison):
        return item.operator == "=" and isinstance(item.left, Constant)
    return isinstance(item, Atom) and item.relation in _QUESTION


def _held(item: Literal_) -> str:
    return f"no {format_atom(item.atom)}" if isinstance(item, Negation) else format_body(item)


def _remark(found: Absence) -> str:
    if found.reason == "derived":
        return "" if found.failures else ": no rule derives such a tuple"
    return f": {_REASONS[found.reason]}"
