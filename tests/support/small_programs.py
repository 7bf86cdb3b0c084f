"""Small random programs with facts, from a seed: every construct of the dialect, over a domain of eight values.

Safe, typed and stratified by construction: a rule negates only relations before its own; arithmetic is taken modulo 4,
so that no value leaves the domain.
"""

import random
from dataclasses import dataclass

from liqo_connectivity.engine import Row, Value

SYMBOLS = ("a", "b", "c", 'd"\n')
NUMBERS = (0, 1, 2, 3)
WRITTEN = ('"a"', '"b"', '"c"', '"d\\"\\n"')
PATTERNS = ('"[a-b]"', '"a|c"', '".*"', '"[^c]+"', '"d(.|\\n)*"', '""', '"..?"')
PARTS = ('""', '"\\n"', '"d"')

# Relations by name: s is a column of symbols, n one of numbers. The inputs come first.
COLUMNS = {"e": "ss", "f": "sn", "u": "s", "z": "", "p": "ss", "q": "sn", "r": "s", "t": "ss", "v": "n", "w": "ssn"}
INPUTS = ("e", "f", "u", "z")


@dataclass
class _Writer:
    rng: random.Random

    def constant(self, kind: str) -> str:
        return self.rng.choice(WRITTEN) if kind == "s" else str(self.rng.choice(NUMBERS))

    def variable(self, kind: str) -> str:
        return self.rng.choice(("X", "Y", "Z") if kind == "s" else ("N", "M"))

    def atom(self, relation: str, bound: set[str]) -> str:
        terms: list[str] = []
        for kind in COLUMNS[relation]:
            choice = self.rng.random()
            if choice < 0.12:
                terms.append("_")
            elif choice < 0.22:
                terms.append(self.constant(kind))
            else:
                terms.append(self.variable(kind))
                bound.add(terms[-1])
        return f"{relation}({', '.join(terms)})"

    def term(self, kind: str, bound: set[str]) -> str:
        names = sorted(name for name in bound if (name in "XYZ") == (kind == "s"))
        if not names or self.rng.random() < 0.15:
            return self.constant(kind)
        if kind == "n" and self.rng.random() < 0.3:
            return f"({self.rng.choice(names)} {self.rng.choice('+*')} {self.rng.choice(names)}) % 4"
        return self.rng.choice(names)

    def side(self, before: list[str], bound: set[str]) -> str:
        if self.rng.random() < 0.15:
            return self.constraint(bound)
        if before and self.rng.random() < 0.5:
            relation = self.rng.choice(before)
            terms = ["_" if self.rng.random() < 0.2 else self.term(kind, bound) for kind in COLUMNS[relation]]
            return f"!{relation}({', '.join(terms)})"
        kind = self.rng.choice("sn")
        operator = self.rng.choice(("=", "!=", "<", "<=", ">", ">="))
        return f"{self.term(kind, bound)} {operator} {self.term(kind, bound)}"

    def constraint(self, bound: set[str]) -> str:
        """Write a test of a text. A symbol is a pattern, too, and one may be a part of another."""
        negated, text = self.rng.choice(("", "!")), self.term("s", bound)
        if self.rng.random() < 0.4:
            return f"{negated}contains({self.rng.choice((*PARTS, self.term('s', bound)))}, {text})"
        return f"{negated}match({self.rng.choice((*PATTERNS, self.term('s', bound)))}, {text})"

    def aggregate(self, before: list[str], bound: set[str]) -> tuple[str, list[str]]:
        """Write a literal with an aggregate, over relations before, and give what it binds."""
        inner: set[str] = set()
        body = [self.atom(self.rng.choice(before), inner) for _ in range(self.rng.randint(1, 2))]
        if self.rng.random() < 0.4:
            # Variables from outside may be tested, too.
            body.append(self.side(before, inner | bound))
        self.rng.shuffle(body)
        own = sorted(name for name in inner - bound if name in "NM")
        kind, over = "count", ""
        if own and self.rng.random() < 0.7:
            kind, over = self.rng.choice(("min", "max")), f" {self.rng.choice(own)}"
        text = f"{kind}{over} : {{ {', '.join(body)} }}"
        free = sorted({"N", "M"} - bound - inner)
        if kind != "count" and free and self.rng.random() < 0.6:
            # What is counted may leave the domain; the least and greatest are in it.
            return self.rng.choice((f"{free[0]} = {text}", f"{text} = {free[0]}")), [free[0]]
        operator = self.rng.choice(("=", "!=", "<", "<=", ">", ">="))
        other = self.term("n", bound)
        return self.rng.choice((f"{other} {operator} {text}", f"{text} {operator} {other}")), []

    def rule(self, head: str, *, aggregates: bool = False) -> str:
        names = list(COLUMNS)
        usable = names[: names.index(head) + 1]
        bound: set[str] = set()
        body = [self.atom(self.rng.choice(usable), bound) for _ in range(self.rng.randint(1, 3))]
        for kind in "sn":
            if self.rng.random() < 0.15:
                # A variable that only an equation binds, or one that it tests.
                target = self.variable(kind)
                body.append(f"{target} = {self.term(kind, bound)}")
                bound.add(target)
        numbers = sorted(bound & {"N", "M"})
        if numbers and self.rng.random() < 0.3:
            # An atom that can be joined before its arithmetic is known.
            body.append(f"f({self.variable('s')}, ({self.rng.choice(numbers)} + 1) % 4)")
            bound.add(body[-1][2])
        if aggregates:
            # Few conditions: an aggregate in a rule that never holds tests nothing.
            literal, binds = self.aggregate(usable[:-1], bound)
            body.append(literal)
            bound.update(binds)
        else:
            body += [self.side(usable[:-1], bound) for _ in range(self.rng.choice((0, 0, 1, 1, 2)))]
        if self.rng.random() < 0.2:
            body.append(f"({self.side(usable[:-1], bound)}; {self.side(usable[:-1], bound)})")
        self.rng.shuffle(body)
        heads = [head, *(["w"] if self.rng.random() < 0.1 and head != "w" else [])]
        written = [f"{name}({', '.join(self.term(kind, bound) for kind in COLUMNS[name])})" for name in heads]
        return f"{', '.join(written)} :- {', '.join(body)}."


def domain(variable: str) -> tuple[Value, ...]:
    """Give the values that a variable of a small program can have."""
    return SYMBOLS if variable in "XYZ" else NUMBERS


def declarations() -> str:
    """Declare the relations that all small programs have."""
    types = {"s": "symbol", "n": "number"}
    return "".join(
        f".decl {name}({', '.join(f'c{i}: {types[kind]}' for i, kind in enumerate(kinds))})\n"
        for name, kinds in COLUMNS.items()
    )


def small_rules(seed: int) -> list[str]:
    """Write the rules of a program, one a line."""
    writer = _Writer(random.Random(seed))
    derived = [name for name in COLUMNS if name not in INPUTS]
    rules = [writer.rule(writer.rng.choice(derived)) for _ in range(writer.rng.randint(2, 7))]
    return [*rules, f"r({writer.constant('s')})."] if writer.rng.random() < 0.3 else rules


def small_rules_without_negation(seed: int) -> list[str]:
    """Write the rules of a monotone program, one a line: those of three programs that negate nothing."""
    return [rule for first in range(3) for rule in small_rules(3 * seed + first) if "!" not in rule.replace("!=", "")]


def small_rules_with_aggregates(seed: int) -> list[str]:
    """Write the rules of a program, most of which have an aggregate, one a line."""
    writer = _Writer(random.Random(seed))
    derived = [name for name in COLUMNS if name not in INPUTS]
    names = [writer.rng.choice(derived) for _ in range(writer.rng.randint(2, 6))]
    return [writer.rule(name, aggregates=writer.rng.random() < 0.7) for name in names]


def small_facts(seed: int) -> dict[str, list[Row]]:
    """Give facts for the inputs, and at times for derived relations."""
    rng = random.Random(seed)
    facts: dict[str, list[Row]] = {}
    for name in (*INPUTS, *(["p", "v"] if rng.random() < 0.3 else [])):
        rows: list[Row] = []
        for _ in range(6):
            values: list[Value] = [
                rng.choice(SYMBOLS) if kind == "s" else rng.choice(NUMBERS) for kind in COLUMNS[name]
            ]
            rows.append(tuple(values))
        facts[name] = list(dict.fromkeys(rows[: rng.randint(0, 6)]))
    return facts


def plenty_of_facts(seed: int) -> dict[str, list[Row]]:
    """Give more facts for the inputs, so that most programs derive something."""
    rng = random.Random(seed)
    return {name: list(dict.fromkeys(random_row(name, rng) for _ in range(8))) for name in INPUTS}


def random_row(name: str, rng: random.Random) -> Row:
    """Give a row that fits a relation."""
    return tuple(rng.choice(SYMBOLS) if kind == "s" else rng.choice(NUMBERS) for kind in COLUMNS[name])
