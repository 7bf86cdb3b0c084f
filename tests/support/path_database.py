"""A small program with recursion and negation, its facts, and a batch that changes them."""

from tests.support.churn import Batch, Facts

TEXT = """.decl e(x: symbol, y: symbol)
.decl q(x: symbol)
.decl r(x: symbol, y: symbol)
r(X, Y) :- e(X, Y).
r(X, Z) :- r(X, Y), e(Y, Z).
.decl both(x: symbol, y: symbol)
both(X, Y) :- r(X, Y), r(Y, X), X < Y.
.decl lonely(x: symbol)
lonely(X) :- q(X), !r(X, _), !r(_, X).
.decl pair(x: symbol, y: symbol)
pair(X, Y) :- lonely(X), lonely(Y), !both(X, Y).
"""
FACTS: Facts = {
    "e": [("a", "b"), ("b", "c"), ("c", "a"), ("x", "y")],
    "q": [("a",), ("y",), ("l",), ("m",)],
    "both": [("a", "b"), ("l", "m")],
}
BATCH: Batch = [
    ("e", ("b", "c"), False),
    ("e", ("c", "d"), True),
    ("e", ("x", "y"), False),
    ("q", ("l",), False),
    ("q", ("n",), True),
    ("both", ("a", "b"), False),
    ("both", ("n", "m"), True),
]
