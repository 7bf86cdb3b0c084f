"""Rule texts, read by recursive descent into plain rules: one head each, no alternatives.

A second reader of the dialect in docs/dialect.md. It expects texts that the engine's parser accepts: it may let other
mistakes pass.
"""

from collections.abc import Mapping
from itertools import product
from typing import Final

from liqo_connectivity.checker.syntax import (
    Aggregate,
    Application,
    Constant,
    Literal,
    LiteralKind,
    Rule,
    RulesError,
    Term,
    TrustedRules,
    Variable,
    Wildcard,
    all_literals,
    variables,
)
from liqo_connectivity.checker.tokens import Tokens

_QUALIFIERS: Final = ("inline", "no_inline", "magic", "no_magic", "brie", "btree")
_COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")
_CONSTRAINTS: Final = ("match", "contains")
_Choice = tuple[Literal, ...]
"""One alternative of a body."""


def read_rules(texts: Mapping[str, str]) -> TrustedRules:
    """Read rule texts, given by file name. Raises RulesError."""
    types: dict[str, str] = {}
    declared: dict[str, tuple[str, ...]] = {}
    inputs: set[str] = set()
    rules: list[Rule] = []
    for file, text in texts.items():
        reader = _Reader(text, file)
        while reader.kind != "end":
            reader.statement(types, declared, inputs, rules)

    def root(name: str) -> str:
        for _ in range(len(types) + 1):
            name = types.get(name, name)
        if name not in ("symbol", "number"):
            raise RulesError(f"type {name!r} leads to neither symbol nor number")
        return name

    columns = {name: tuple(map(root, wanted)) for name, wanted in declared.items()}
    for rule in rules:
        for literal in all_literals((rule.head, *rule.body)):
            if literal.kind != "comparison" and len(columns.get(literal.name, ())) != len(literal.terms):
                raise RulesError(f"{rule.file}:{rule.line}: {literal.name} is not declared with these columns")
            if literal.kind != "comparison" and literal.name not in columns:
                raise RulesError(f"{rule.file}:{rule.line}: relation {literal.name!r} is not declared")
    return TrustedRules(columns, frozenset(inputs), tuple(rules))


def _scoped(head: Literal, body: _Choice) -> _Choice:
    """Tell the aggregates of a body which of their variables occur elsewhere in the rule."""
    outside = variables(term for literal in (head, *body) for term in literal.terms)

    def scope(term: Term) -> Term:
        if not isinstance(term, Aggregate):
            return term
        own = variables(inner for literal in term.body for inner in literal.terms)
        return Aggregate(term.kind, term.target, term.body, frozenset(own & outside))

    return tuple(Literal(literal.kind, literal.name, tuple(map(scope, literal.terms))) for literal in body)


def read_rule(text: str) -> Rule | None:
    """Read the one plain rule that a text holds; ``None`` if it holds anything else, such as alternatives."""
    rules: list[Rule] = []
    try:
        reader = _Reader(text, "", plain=True)
        reader.clause(rules)
    except (RulesError, RecursionError):
        return None
    return rules[0] if reader.kind == "end" and len(rules) == 1 else None


def read_comparison(text: str) -> Literal | None:
    """Read the one comparison that a text holds; ``None`` if it holds anything else."""
    try:
        reader = _Reader(text, "", plain=True)
        found = reader.comparison()
    except (RulesError, RecursionError):
        return None
    return found if reader.kind == "end" else None


class _Reader(Tokens):
    """Reads one text, a token ahead. ``plain`` text has no alternatives and no groups, which multiply the rules."""

    def __init__(self, text: str, file: str, *, plain: bool = False) -> None:
        super().__init__(text, file)
        self._plain = plain

    def statement(
        self, types: dict[str, str], declared: dict[str, tuple[str, ...]], inputs: set[str], rules: list[Rule]
    ) -> None:
        """Read a declaration, a directive or a clause into what it adds to."""
        if self.kind != "directive":
            self.clause(rules)
            return
        directive = self.token
        self._move(self._next)
        if directive in (".pragma", ".plan", ".printsize"):
            self._hint(directive)
            return
        if directive in (".input", ".output"):
            names = self._relations()
            inputs.update(names if directive == ".input" else ())
            return
        names = self._names()
        if directive == ".type":
            self._take("<:")
            types[names[0]] = self._take()
        else:
            columns: list[str] = []
            self._take("(")
            while not self._try(")"):
                if columns:
                    self._take(",")
                self._take()
                self._take(":")
                columns.append(self._take())
            if directive == ".decl":
                declared.update(dict.fromkeys(names, tuple(columns)))
                while self._is(*_QUALIFIERS):
                    self._move(self._next)
            else:
                self._take(":")
                self._take()

    def _names(self) -> list[str]:
        names = [self._take()]
        while self._try(","):
            names.append(self._take())
        return names

    def _relations(self) -> list[str]:
        """Read names, each with empty parentheses or without."""
        names: list[str] = []
        while not names or self._try(","):
            names.append(self._take())
            if self._try("("):
                self._take(")")
        return names

    def _hint(self, directive: str) -> None:
        """Read over what only says how to evaluate or what to print."""
        if directive == ".printsize":
            self._relations()
        elif directive == ".pragma":
            while self.kind == "string":
                self._move(self._next)
        else:
            while self.kind == "number" or self._is(":", "(", ")", ","):
                self._move(self._next)

    def clause(self, rules: list[Rule]) -> None:
        """Read a clause into one plain rule for each head and alternative."""
        line = self._line()
        heads = [(line, self._atom("atom"))]
        while self._try(","):
            heads.append((self._line(), self._atom("atom")))
        bodies = self._disjunction() if self._try(":-") else [()]
        self._take(".")
        rules += [Rule(h, _scoped(h, body), self._file, line, below) for below, h in heads for body in bodies]

    def _disjunction(self) -> list[_Choice]:
        found = self._conjunction()
        while not self._plain and self._try(";"):
            found += self._conjunction()
        return found

    def _conjunction(self) -> list[_Choice]:
        parts = [self._item()]
        while self._try(","):
            parts.append(self._item())
        return [tuple(literal for part in choice for literal in part) for choice in product(*parts)]

    def _item(self) -> list[_Choice]:
        place = self._place
        constraint = self._constraint()
        if constraint is not None:
            return [(constraint,)]
        if self._try("!"):
            return [(self._atom("negation"),)]
        if self.kind == "name":
            self._move(self._next)
            is_atom = self._is("(")
            self._move(place)
            return [((self._atom("atom") if is_atom else self.comparison()),)]
        if not self._plain and self._try("("):
            try:
                group = self._disjunction()
                self._take(")")
            except RulesError:
                # Parentheses around a term, not around conditions.
                self._move(place)
            else:
                return group
        return [(self.comparison(),)]

    def _constraint(self) -> Literal | None:
        """Read ``match(...)`` or ``contains(...)``, with ``!`` or without: a function that is 1 or 0."""
        place = self._place
        wanted, name = int(not self._try("!")), self.token
        if self.kind == "name" and name in _CONSTRAINTS:
            self._move(self._next)
            terms = self._terms() if self._is("(") else ()
            if len(terms) == 2:
                return Literal("comparison", "=", (Application(f"@{name}", terms), Constant(wanted)))
        self._move(place)
        return None

    def _atom(self, kind: LiteralKind) -> Literal:
        name = self._take()
        return Literal(kind, name, self._terms())

    def _terms(self) -> tuple[Term, ...]:
        self._take("(")
        terms: list[Term] = []
        while not self._try(")"):
            if terms:
                self._take(",")
            terms.append(self._term())
        return tuple(terms)

    def comparison(self) -> Literal:
        """Read a comparison or a constraint."""
        constraint = self._constraint()
        if constraint is not None:
            return constraint
        left = self._side()
        return Literal("comparison", self._take(*_COMPARISONS), (left, self._side()))

    def _side(self) -> Term:
        place, kind = self._place, self.token
        if self.kind != "name" or kind not in ("count", "min", "max", "sum"):
            return self._term()
        self._move(self._next)
        target = Variable(self._take()) if kind != "count" and self.kind == "name" else None
        if not self._is(":") or (kind != "count" and target is None):
            # A variable may be named so.
            self._move(place)
            return self._term()
        self._take(":")
        if not self._is("{"):
            return Aggregate(kind, target, (self._atom("atom"),))
        self._take("{")
        body, *others = self._conjunction()
        if others:
            raise self._error("a conjunction inside an aggregate")
        self._take("}")
        return Aggregate(kind, target, body)

    def _term(self) -> Term:
        left = self._product()
        while self._is("+", "-"):
            left = Application(self._take("+", "-"), (left, self._product()))
        return left

    def _product(self) -> Term:
        left = self._factor()
        while self._is("*", "/", "%"):
            left = Application(self._take("*", "/", "%"), (left, self._factor()))
        return left

    def _factor(self) -> Term:
        kind, written = self.kind, self.token
        if self._try("("):
            inner = self._term()
            self._take(")")
            return inner
        if self._try("@"):
            return Application(f"@{self._take()}", self._terms())
        if self._try("-"):
            term = self._factor()
            if isinstance(term, Constant) and isinstance(term.value, int):
                return Constant(-term.value)
            return Application("-", (Constant(0), term))
        if self._try("_"):
            return Wildcard()
        if kind not in ("string", "number", "name"):
            raise self._error("a term")
        self._move(self._next)
        if kind == "string":
            return Constant(self._symbol(written))
        return Constant(self._number(written)) if kind == "number" else Variable(written)
