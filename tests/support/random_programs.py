"""Random stratified programs with facts, for differential tests: one seed, one program, always the same.

Covers what the dialect can say: recursion (left, right, several times in one rule, mutual over two to four relations),
negation with and without ``_``, self-joins, constants, repeated variables, comparisons, arithmetic, functors, relations
without columns, alternatives, facts in the text, facts for derived relations, hostile symbols, tests of texts. Every
program terminates, and no value in it leaves 32 bits. Holds no test and judges nothing.
"""

from dataclasses import dataclass, field
from random import Random

from liqo_connectivity.engine.syntax.nodes import Row, Value
from liqo_connectivity.engine.syntax.printer import format_value

SYMBOLS = ("a", "b", "True", "??", "", "1", "10.0.0.0/8", "10.1.2.3", "fd00::/8", 'é"\\\n\t', "_pyD_class", "X")
NUMBERS = (-3, -1, 0, 1, 2, 7)
PATTERNS = ('"[a-f0-9]+"', '".*"', '"(10\\\\.)+.*"', '"[^:/]*"', '"a|b|True"', '""', '"(.|\\n)"')
FUNCTORS = """.functor address_family(address: symbol): number
.functor cidr_family(cidr: symbol): number
.functor cidr_canonical(cidr: symbol): symbol
.functor cidr_contains(cidr: symbol, address: symbol): number
.functor cidr_covers(outer: symbol, inner: symbol): number
"""


def random_program(seed: int, *, aggregates: bool = False, texts: bool = False) -> tuple[str, dict[str, list[Row]]]:
    """Give the text of a program, and facts by relation.

    If asked for, most rules have an aggregate, and some test texts (``match``, ``contains``), as pyDatalog cannot.
    """
    return _Generator(Random(seed), aggregates, texts).generate()


@dataclass
class _Generator:
    random: Random
    aggregates: bool = False
    texts: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    """By relation, a letter for each column: ``s`` or ``n``."""
    lines: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)

    def generate(self) -> tuple[str, dict[str, list[Row]]]:
        self.symbols = self.random.sample(SYMBOLS, 5)
        for number in range(self.random.randint(2, 4)):
            self.declare(f"edb{number}")
        given = list(self.columns)
        for layer in range(self.random.randint(2, 5)):
            self.layer(layer)
        facts = {name: self.rows(self.columns[name], 8) for name in given}
        for name in self.columns:
            if name not in given and self.random.random() < 0.15:
                facts[name] = self.rows(self.columns[name], 3)
        inputs = f".input {', '.join(given)}\n"
        declarations = "".join(self.declaration(name) for name in self.columns)
        return FUNCTORS + declarations + inputs + "".join(f"{line}\n" for line in self.lines), facts

    def declare(self, name: str, columns: str | None = None) -> None:
        arity = self.random.choice((0, 1, 1, 2, 2, 2, 3))
        self.columns[name] = "".join(self.random.choice("ssn") for _ in range(arity)) if columns is None else columns

    def declaration(self, name: str) -> str:
        types = {"s": "symbol", "n": "number"}
        columns = ", ".join(f"c{number}: {types[kind]}" for number, kind in enumerate(self.columns[name]))
        return f".decl {name}({columns})\n"

    def rows(self, kinds: str, most: int) -> list[Row]:
        return [tuple(self.value(kind) for kind in kinds) for _ in range(self.random.randint(0, most))]

    def value(self, kind: str) -> Value:
        return self.random.choice(self.symbols) if kind == "s" else self.random.choice(NUMBERS)

    def layer(self, layer: int) -> None:
        below = list(self.columns)
        shape = self.random.choice(("plain", "plain", "plain", "closure", "recursive", "mutual", "counter"))
        if shape == "closure":
            self.closure(f"d{layer}", self.random.choice(below))
            return
        if shape == "counter":
            self.declare(f"d{layer}", "n")
            head = f"d{layer}"
            self.lines += [f"{head}({self.random.choice(NUMBERS)}).", f"{head}(N + 1) :- {head}(N), N < 5."]
            return
        size = self.random.randint(2, 4) if shape == "mutual" else 1
        names = [f"d{layer}" if size == 1 else f"d{layer}_{number}" for number in range(size)]
        # Relations of one cycle often have the same columns, so that tuples really go round.
        same = "".join(self.random.choice("ssn") for _ in range(self.random.choice((1, 2, 2))))
        for name in names:
            self.declare(name, same if size > 1 and self.random.random() < 0.7 else None)
        for number, name in enumerate(names):
            if number == 0 or self.random.random() < 0.6:
                for _ in range(self.random.randint(1, 2)):
                    self.rule(name, [], below)
            if shape == "recursive":
                self.rule(name, [name] * self.random.choice((1, 1, 2)), below)
            elif shape == "mutual":
                self.rule(name, [names[(number + 1) % size]], below)
                if self.random.random() < 0.3:
                    self.rule(name, self.random.choices(names, k=self.random.randint(1, 2)), below)

    def closure(self, name: str, base: str) -> None:
        kinds = [kind for kind in "sn" if self.columns[base].count(kind) >= 2]
        if not kinds:
            self.declare(name)
            self.rule(name, [], [base])
            return
        first, second = [place for place, kind in enumerate(self.columns[base]) if kind == kinds[0]][:2]
        self.declare(name, kinds[0] * 2)

        def step(source: str, target: str) -> str:
            terms = {first: source, second: target}
            return f"{base}({', '.join(terms.get(place, '_') for place in range(len(self.columns[base])))})"

        body = self.random.choice(
            (
                f"{name}(X, Y), {step('Y', 'Z')}",
                f"{step('X', 'Y')}, {name}(Y, Z)",
                f"{name}(X, Y), {name}(Y, Z)",
                f"{step('X', 'Y')}, {name}(Y, W), {name}(W, Z)",
            )
        )
        self.lines += [f"{name}(X, Z) :- {step('X', 'Z')}.", f"{name}(X, Z) :- {body}."]

    def rule(self, head: str, required: list[str], below: list[str]) -> None:
        relations = required + self.random.choices(below, k=self.random.randint(0 if required else 1, 2))
        bound: dict[str, list[str]] = {"s": [], "n": []}
        body: list[str] = []
        for relation in relations:
            terms = [self.argument(kind, bound) for kind in self.columns[relation]]
            body.append(f"{relation}({', '.join(terms)})")
            for kind, term in zip(self.columns[relation], terms, strict=True):
                if term.isalnum() and term[0] in "SN" and term not in bound[kind]:
                    bound[kind].append(term)
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            body += self.condition(bound, below, free_to_compute=not required)
        if self.aggregates and self.random.random() < 0.7:
            body.append(self.aggregate(bound, below))
        self.random.shuffle(body)
        terms = [self.known(kind, bound) for kind in self.columns[head]]
        alternative = ""
        if not required and self.random.random() < 0.1 and not any(bound.values()):
            alternative = f" ; {self.random.choice(NUMBERS)} < {self.random.choice(NUMBERS)}"
        self.lines.append(f"{head}({', '.join(terms)}) :- {', '.join(body)}{alternative}.")

    def aggregate(self, bound: dict[str, list[str]], below: list[str]) -> str:
        """Give a comparison with an aggregate over complete relations."""
        # Some of the variables are those of the rule, the others are the aggregate's own.
        inner = {kind: [f"{name}own" for name in (kind.upper() + "0", kind.upper() + "1")] for kind in "sn"}
        body: list[str] = []
        own: dict[str, list[str]] = {"s": [], "n": []}
        for relation in self.random.choices(below, k=self.random.randint(1, 2)):
            terms: list[str] = []
            for kind in self.columns[relation]:
                pool = bound[kind] if bound[kind] and self.random.random() < 0.5 else inner[kind]
                terms.append("_" if self.random.random() < 0.15 else self.random.choice(pool))
                if terms[-1] in inner[kind]:
                    own[kind].append(terms[-1])
            body.append(f"{relation}({', '.join(terms)})")
        for kind in "sn":
            if own[kind] and self.random.random() < 0.25:
                operator = self.random.choice(("!=", "<", ">="))
                body.append(f"{self.random.choice(own[kind])} {operator} {self.known(kind, bound)}")
        kind = self.random.choice(("count", "min", "max")) if own["n"] else "count"
        over = f"{kind} {self.random.choice(own['n'])}" if kind != "count" else kind
        text = f"{over} : {{ {', '.join(body)} }}"
        if self.random.random() < 0.6:
            bound["n"].append(f"N{len(bound['n'])}found")
            return f"{bound['n'][-1]} = {text}"
        return f"{text} {self.random.choice(('=', '!=', '<', '>='))} {self.random.randint(0, 3)}"

    def argument(self, kind: str, bound: dict[str, list[str]]) -> str:
        """Give a term of a positive atom."""
        chance = self.random.random()
        if chance < 0.12:
            return "_"
        if chance < 0.22:
            return format_value(self.value(kind))
        if kind == "n" and bound["n"] and chance < 0.3:
            return f"{self.random.choice(bound['n'])} {self.random.choice('+-')} 1"
        return f"{kind.upper()}{self.random.randint(0, 2)}"

    def known(self, kind: str, bound: dict[str, list[str]]) -> str:
        """Give a term that has a value."""
        if bound[kind] and self.random.random() < 0.9:
            return self.random.choice(bound[kind])
        return format_value(self.value(kind))

    def text_test(self, bound: dict[str, list[str]]) -> str:
        name = self.random.choice(("match", "contains"))
        # A symbol of a program need not be a pattern, so only these are.
        known = self.known("s", bound)
        first = self.random.choice(PATTERNS) if name == "match" else self.random.choice((known, '"a"', '""'))
        return f"{self.random.choice(('', '!'))}{name}({first}, {self.known('s', bound)})"

    def condition(self, bound: dict[str, list[str]], below: list[str], *, free_to_compute: bool) -> list[str]:
        """Give a negation, a comparison, or an equation that binds one more variable."""
        if self.texts and self.random.random() < 0.3:
            return [self.text_test(bound)]
        kind = self.random.choice("sn")
        choice = self.random.choice(("negation", "negation", "comparison", "functor", "arithmetic", "copy"))
        if choice == "negation":
            relation = self.random.choice(below)
            terms = ["_" if self.random.random() < 0.3 else self.known(k, bound) for k in self.columns[relation]]
            return [f"!{relation}({', '.join(terms)})"]
        if choice == "comparison" or not free_to_compute:
            operator = self.random.choice(("=", "!=", "<", "<=", ">", ">="))
            return [f"{self.known(kind, bound)} {operator} {self.known(kind, bound)}"]
        if choice == "copy":
            other, name = self.known(kind, bound), f"{kind.upper()}{len(bound[kind])}copy"
            bound[kind].append(name)
            return [f"{name} = {other}" if self.random.random() < 0.5 else f"{other} = {name}"]
        if choice == "functor":
            functor = self.random.choice(("address_family", "cidr_family", "cidr_contains", "cidr_covers", "canonical"))
            arguments = ", ".join(self.known("s", bound) for _ in range(1 + functor.startswith("cidr_co")))
            if functor == "canonical":
                bound["s"].append("Scanonical")
                return [f"Scanonical = @cidr_canonical({arguments})"]
            return [f"@{functor}({arguments}) {self.random.choice(('=', '!=', '>='))} {self.random.choice((0, 1, 4))}"]
        left, right, name = self.known("n", bound), self.known("n", bound), f"N{len(bound['n'])}computed"
        expression = self.random.choice(
            (f"{left} * {right} % 7", f"({left} - {right}) / 2", f"{left} % -3", f"({left} + 1) % 5 - {right} % 4")
        )
        bound["n"].append(name)
        return [f"{name} = {expression}"]
