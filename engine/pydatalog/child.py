"""The child process that evaluates a translated program with pyDatalog: a job on stdin, tuples on stdout, both JSON.

It runs as a script: ``python child.py SECONDS MEGABYTES LOCATION``, where LOCATION is the folder that pyDatalog is
installed in. It limits itself before it reads or imports anything else, and never uses the pyDatalog features that
evaluate text: a value only ever becomes a ``Const``. One process evaluates one job, on its main thread, and ends. The
functors are implemented a second time here, over plain integers, so that the two evaluators share no mistake. It
imports nothing from the engine.
"""

import gc
import json
import os
import re
import resource
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, cast

VERSION = "0.22.4"
NUMBER_LIMIT = 2**31

_OCTET = re.compile(r"(?:0|[1-9][0-9]{0,2})")
_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_PREFIX = re.compile(r"[0-9]{1,3}")

Value = str | int


class RefusedError(Exception):
    """The child refuses the job; ``answer`` says why."""

    def __init__(self, **answer: Value) -> None:
        self.answer = answer
        super().__init__(answer)


# ---- Functors ----


def parse_ipv4(text: str) -> int | None:
    """Return an IPv4 address as a number."""
    octets = text.split(".")
    if len(octets) != 4 or not all(_OCTET.fullmatch(octet) and int(octet) < 256 for octet in octets):
        return None
    return sum(int(octet) << shift for octet, shift in zip(octets, (24, 16, 8, 0), strict=True))


def parse_ipv6(text: str) -> int | None:
    """Return an IPv6 address as a number."""
    if "." in text:
        before, colon, dotted = text.rpartition(":")
        low = parse_ipv4(dotted)
        if low is None:
            return None
        text = f"{before}{colon}{low >> 16:x}:{low & 0xFFFF:x}"
    left, gap, right = text.partition("::")
    high, tail = (side.split(":") if side else [] for side in (left, right))
    missing = 8 - len(high) - len(tail)
    if (missing < 1 if gap else missing != 0) or not all(_GROUP.fullmatch(group) for group in (*high, *tail)):
        return None
    groups = [*high, *["0"] * missing, *tail]
    return sum(int(group, 16) << 16 * (7 - place) for place, group in enumerate(groups))


def parse_address(text: str) -> tuple[int, int] | None:
    """Return the width in bits and the number of an address; an IPv4-mapped IPv6 address is the IPv4 address."""
    found = parse_either(text)
    return (32, found[1] & 0xFFFFFFFF) if found is not None and is_mapped(*found) else found


def is_mapped(width: int, number: int) -> bool:
    """Whether an address is in ::ffff:0:0/96."""
    return width == 128 and number >> 32 == 0xFFFF


def parse_either(text: str) -> tuple[int, int] | None:
    """Return the width in bits and the number of an address as it is written."""
    found = ((32, parse_ipv4(text)), (128, parse_ipv6(text)))
    return next(((width, number) for width, number in found if number is not None), None)


def parse_cidr(text: str) -> tuple[int, int, int] | None:
    """Return a CIDR's width in bits, its number of host bits, and its network bits as a number."""
    base, slash, prefix = text.partition("/")
    address = parse_either(base)
    if not slash or address is None or not _PREFIX.fullmatch(prefix):
        return None
    width, number = address
    host = width - int(prefix)
    if is_mapped(width, number) and 0 <= host <= 32:
        width, number = 32, number & 0xFFFFFFFF
    return (width, host, number >> host) if host >= 0 else None


def format_address(width: int, number: int) -> str:
    """Format an address in canonical text (RFC 5952 without the mixed notation)."""
    if width == 32:
        return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    groups = ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    for zeros in range(8, 1, -1):
        found = re.search(rf"(?:^|(?<=:))0(?::0){{{zeros - 1}}}(?=:|$)", groups)
        if found:
            return f"{groups[: found.start()].rstrip(':')}::{groups[found.end() :].lstrip(':')}"
    return groups


def address_family(address: str) -> int:
    """Return 4, 6, or 0 for other text."""
    return {0: 0, 32: 4, 128: 6}[(parse_address(address) or (0,))[0]]


def address_canonical(address: str) -> str:
    """Return the canonical text of an address, or an empty string for other text."""
    parsed = parse_address(address)
    return format_address(*parsed) if parsed is not None else ""


def cidr_family(cidr: str) -> int:
    """Return 4, 6, or 0 for other text."""
    return {0: 0, 32: 4, 128: 6}[(parse_cidr(cidr) or (0,))[0]]


def cidr_canonical(cidr: str) -> str:
    """Return the CIDR without host bits, or an empty string for other text."""
    parsed = parse_cidr(cidr)
    if parsed is None:
        return ""
    width, host, bits = parsed
    return f"{format_address(width, bits << host)}/{width - host}"


def cidr_contains(cidr: str, address: str) -> int:
    """Return 1 if the address begins with the network's bits, else 0."""
    network, single = parse_cidr(cidr), parse_address(address)
    if network is None or single is None or network[0] != single[0]:
        return 0
    return int(single[1] >> network[1] == network[2])


def cidr_covers(outer: str, inner: str) -> int:
    """Return 1 if the inner network is no wider and begins with the outer one's bits, else 0."""
    wide, narrow = parse_cidr(outer), parse_cidr(inner)
    if wide is None or narrow is None or wide[0] != narrow[0] or narrow[1] > wide[1]:
        return 0
    return int(narrow[2] >> (wide[1] - narrow[1]) == wide[2])


def cidr_lower(cidr: str) -> str:
    """Return the half of a network whose next bit is 0, or an empty string for a single address and other text."""
    return cidr_half(cidr, 0)


def cidr_upper(cidr: str) -> str:
    """Return the half of a network whose next bit is 1, or an empty string for a single address and other text."""
    return cidr_half(cidr, 1)


def cidr_half(cidr: str, bit: int) -> str:
    """Return the half of a network whose next bit is given."""
    parsed = parse_cidr(cidr)
    if parsed is None or parsed[1] == 0:
        return ""
    width, host, bits = parsed
    return f"{format_address(width, (2 * bits + bit) << (host - 1))}/{width - host + 1}"


def text_length(text: str) -> int:
    """Count the characters."""
    return len(text)


def text_of(number: int) -> str:
    """Write a number in decimal."""
    return str(number)


def text_join(left: str, right: str) -> str:
    """Put one text after another."""
    return f"{left}{right}"


def integer_order(left: str, right: str) -> int:
    """Compare two decimal integers: 1 for less, 2 for equal, 3 for greater; 0 if either is none of 64 bits."""
    parsed = [parse_integer(left), parse_integer(right)]
    known = [number for number in parsed if number is not None]
    if len(known) < 2:
        return 0
    return 2 if known[0] == known[1] else 1 if known[0] < known[1] else 3


def parse_integer(text: str) -> int | None:
    """Parse a signed decimal integer of at most 64 bits."""
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if not unsigned.isascii() or not unsigned.isdecimal():
        return None
    significant = unsigned.lstrip("0")
    if len(significant) > len(str(2**63)):
        return None
    number = int(significant or "0") * (-1 if text.startswith("-") else 1)
    return number if number.bit_length() < 64 or number == -(2**63) else None


# ---- Arithmetic ----


def calculate(symbol: str, left: int, right: int) -> int:
    """Calculate as C does: a quotient is truncated towards zero."""
    if symbol in "/%" and right == 0:
        raise ArithmeticError(f"{left} {symbol} 0 has no value")
    quotient, rest = divmod(left, right) if symbol in "/%" else (0, 0)
    if rest and (rest < 0) != (left < 0):
        quotient, rest = quotient + 1, rest - right
    result = {"+": left + right, "-": left - right, "*": left * right, "/": quotient, "%": rest}[symbol]
    if not -NUMBER_LIMIT <= result < NUMBER_LIMIT:
        raise ArithmeticError(f"{left} {symbol} {right} needs more than 32 bits")
    return result


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    **{symbol: partial(calculate, symbol) for symbol in "+-*/%"},
    **{
        f.__name__: f
        for f in (address_family, address_canonical, cidr_family, cidr_canonical, cidr_contains, cidr_covers)
    },
    **{f.__name__: f for f in (cidr_lower, cidr_upper, text_length, text_of, text_join, integer_order)},
}


# ---- pyDatalog ----


def load_engine(location: str) -> Any:
    """Import pyDatalog's engine and check that it is the known build."""
    # Every installer writes this folder; importlib.metadata reads it too, but takes longer than a small job.
    names = [name.casefold() for name in os.listdir(location) if name.casefold().startswith("pydatalog-")]
    if names != [f"pydatalog-{VERSION}.dist-info"]:
        raise RefusedError(build=f"{' and '.join(names) or 'no version'} is installed, not {VERSION}")
    sys.path.append(location)
    try:
        engine: Any = import_module("pyDatalog.pyEngine")
    except (ImportError, OSError) as error:
        raise RefusedError(build=f"it cannot be imported: {error}") from None
    kind = type(engine.Pred("build", 1).db).__name__
    compiled = not engine.__file__.endswith(".py")
    # The Python source that ships beside the compiled engine is newer, leaks, and is another engine.
    if not compiled or kind != "OrderedDict":
        raise RefusedError(
            build=f"its engine is {'compiled' if compiled else 'not compiled'} and stores facts in {kind}"
        )
    return engine


class Evaluation:
    """One job's tables in pyDatalog, and a copy of their rows to recognize new ones."""

    def __init__(self, engine: Any, arities: dict[str, int]) -> None:
        self._engine = engine
        self._known: dict[str, set[tuple[Value, ...]]] = {name: set() for name in arities}
        self._derived: set[str] = set()
        self._arities = arities
        # Otherwise negating a relation without tuples is an error.
        for name, arity in arities.items():
            engine.insert(engine.Pred(name, arity))
        for name, function in FUNCTIONS.items():
            for arity in range(3, 5):
                engine.insert(engine.Pred(f"compute {name}", arity)).prim = self._primitive(function)

    def _primitive(self, function: Callable[..., Value]) -> Callable[[Any, Any], None]:
        engine = self._engine

        def compute(literal: Any, subgoal: Any) -> None:
            rule, *arguments, _ = literal.terms
            try:
                value = function(*(argument.id for argument in arguments))
            except ArithmeticError as error:
                raise RefusedError(rule=rule.id, why=str(error)) from None
            subgoal.fact(engine.Literal(literal.pred, [rule, *arguments, engine.Const(value)]))

        return compute

    def _literal(self, predicate: str, terms: list[tuple[str, Value]]) -> Any:
        kinds = {"variable": self._engine.Var, "value": self._engine.Const}
        return self._engine.Literal(predicate, [kinds[kind](content) for kind, content in terms])

    def add(self, table: str, row: tuple[Value, ...]) -> bool:
        """Store a tuple; return whether it is new."""
        if row in self._known[table]:
            return False
        self._known[table].add(row)
        engine = self._engine
        clause = engine.Clause(engine.Literal(table, [engine.Const(value) for value in row]), [])
        engine.assert_(clause)  # noqa: PT009
        return True

    def ask(self, predicate: str, arity: int) -> list[tuple[Value, ...]]:
        """Query a predicate with nothing bound."""
        engine = self._engine
        terms = [engine.Var(f"column {number}") for number in range(arity)]
        return cast("list[tuple[Value, ...]]", engine.Literal(predicate, terms).ask())

    def rows(self, table: str) -> list[tuple[Value, ...]]:
        """Return all tuples of a table, derived and given. A table of facts alone is queried, not echoed."""
        return list(self._known[table] if table in self._derived else self.ask(table, self._arities[table]))

    def fold(self, step: dict[str, Any]) -> None:
        """Aggregate each group of a table's rows, and store the groups with their values."""
        groups: dict[tuple[Value, ...], list[Value]] = {}
        width, column = int(step["width"]), int(step["value"])
        for row in self.rows(step["source"]):
            groups.setdefault(row[:width], []).append(row[column] if row else 0)
        for group, values in groups.items():
            folds: dict[str, Any] = {"count": len, "min": min, "max": max, "sum": sum}
            found = folds[step["kind"]](values)
            self.add(step["into"], (*group, found))
        self._derived.add(step["into"])

    def run(self, step: dict[str, Any]) -> None:
        """Derive the relations of one step completely, and store them."""
        goal, arity, engine = step["goal"], step["arity"], self._engine
        engine.insert(engine.Pred(goal, arity))
        for head, body in step["clauses"]:
            clause = engine.Clause(self._literal(*head), [self._literal(*item) for item in body])
            engine.assert_(clause)  # noqa: PT009
        grows = True
        while grows:
            grows = False
            for number, *row in self.ask(goal, arity):
                table, width = step["into"][number]
                grows = self.add(table, tuple(row[:width])) or grows
            grows = grows and step["repeat"]
        self._derived.update(table for table, _ in step["into"])
        # An answer leaves garbage in cycles; stored rows stay, so the collector need not scan them again.
        gc.collect()
        gc.freeze()


def evaluate(job: dict[str, Any], engine: Any) -> dict[str, list[tuple[Value, ...]]]:
    """Do a job: store the facts, run the steps, return the wanted tables."""
    evaluation = Evaluation(engine, job["arities"])
    for table, rows in job["facts"].items():
        for row in rows:
            evaluation.add(table, tuple(row))
    gc.freeze()
    for step in job["steps"]:
        (evaluation.fold if "source" in step else evaluation.run)(step)
    return {table: evaluation.rows(table) for table in job["wanted"]}


def main(seconds: str, megabytes: str, location: str) -> None:
    """Write ``{"rows": ...}``, or one of ``{"memory": ...}``, ``{"build": ...}`` and ``{"rule": ..., "why": ...}``."""
    try:
        for kind, limit in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CPU, int(seconds)),
            (resource.RLIMIT_AS, int(megabytes) * 2**20),
        ):
            # The hard limit of processor time is one second above the soft one, so that SIGXCPU names the cause.
            resource.setrlimit(kind, (limit, limit + (kind == resource.RLIMIT_CPU)))
        engine = load_engine(location)
        gc.disable()
        answer = json.dumps({"rows": evaluate(json.load(sys.stdin.buffer), engine)}).encode()
    except RefusedError as error:
        answer = json.dumps(error.answer).encode()
    except MemoryError:
        answer = b'{"memory": 1}'
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    # Skips the teardown of possibly millions of objects.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
