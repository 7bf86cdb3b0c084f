"""Compiles terms to functions of the values of a rule's variables, each in a numbered slot."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from liqo_connectivity.engine.syntax.arithmetic import calculate
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Call,
    Constant,
    Term,
    Value,
    Variable,
    Wildcard,
)

Reader = Callable[[Sequence[Value]], Value]


def reader(term: Term, slot_of: Mapping[str, int], functors: Mapping[str, Functor]) -> Reader:
    """Compile a term into a function of the values."""
    match term:
        case Constant(value=value):
            return lambda _: value
        case Variable(name=name):
            slot = slot_of[name]
            return lambda bindings: bindings[slot]
        case Arithmetic(operator=symbol, left=left, right=right):
            read_left, read_right = reader(left, slot_of, functors), reader(right, slot_of, functors)
            return lambda bindings: calculate(symbol, int(read_left(bindings)), int(read_right(bindings)))
        case Call(functor=name, arguments=arguments):
            function = functors[name]
            reads = [reader(argument, slot_of, functors) for argument in arguments]
            return lambda bindings: function(*[read(bindings) for read in reads])
        case Wildcard():
            raise AssertionError("analysis refuses _ where a value is needed")
        case Aggregate():
            raise AssertionError("flattening leaves an aggregate only as what a variable is equal to")


def row_reader(
    terms: Sequence[Term], slot_of: Mapping[str, int], functors: Mapping[str, Functor]
) -> Callable[[Sequence[Value]], tuple[Value, ...]]:
    """Compile terms into a function that returns their values as a tuple."""
    if len(terms) > 1 and all(isinstance(term, Variable) for term in terms):
        # The same tuple, made in C.
        return itemgetter(*[slot_of[term.name] for term in terms if isinstance(term, Variable)])
    reads = [reader(term, slot_of, functors) for term in terms]
    if len(reads) == 1:
        read_only = reads[0]
        return lambda bindings: (read_only(bindings),)
    return lambda bindings: tuple([read(bindings) for read in reads])


def key_reader(
    terms: Sequence[Term], slot_of: Mapping[str, int], functors: Mapping[str, Functor]
) -> Callable[[Sequence[Value]], object]:
    """Compile terms into a function that returns their key in an index: one value bare, several as a tuple."""
    if len(terms) > 1:
        return row_reader(terms, slot_of, functors)
    term = terms[0]
    return itemgetter(slot_of[term.name]) if isinstance(term, Variable) else reader(term, slot_of, functors)
