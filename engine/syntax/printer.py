"""Prints syntax as text that parses to the same program.

Proofs and listings print rules with it. Only this module escapes symbols.
"""

from liqo_connectivity.engine.syntax.functors import CONSTRAINTS
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Body,
    Call,
    Clause,
    Comparison,
    Conjunction,
    Constant,
    Directive,
    Disjunction,
    FunctorDeclaration,
    Hint,
    Negation,
    RelationDeclaration,
    Rule,
    Statement,
    Term,
    TypeDeclaration,
    Value,
    Variable,
    Wildcard,
)

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}


def format_value(value: Value) -> str:
    """Write a constant in program syntax: numbers bare, symbols quoted and escaped."""
    if isinstance(value, int):
        return str(value)
    return f'"{value.translate(_ESCAPES)}"'


def format_term(term: Term, outer: int = 0) -> str:
    """Write a term; ``outer`` is the precedence of the enclosing operator."""
    match term:
        case Variable(name=name):
            return name
        case Wildcard():
            return "_"
        case Constant(value=value):
            return format_value(value)
        case Call(functor=functor, arguments=arguments):
            return f"@{functor}({', '.join(map(format_term, arguments))})"
        case Aggregate(kind=kind, target=target, body=body):
            over = f"{kind} {target.name}" if target else kind
            return f"{over} : {{ {', '.join(map(format_body, body))} }}"
        case Arithmetic(operator=operator, left=left, right=right):
            strength = _PRECEDENCE[operator]
            text = f"{format_term(left, strength)} {operator} {format_term(right, strength + 1)}"
            return f"({text})" if strength < outer else text


def format_atom(atom: Atom) -> str:
    """Write ``relation(terms)``."""
    return f"{atom.relation}({', '.join(map(format_term, atom.terms))})"


def format_comparison(item: Comparison, left: str, right: str) -> str:
    """Write a comparison of these sides, or the constraint that it stands for."""
    if isinstance(item.left, Call) and item.left.functor in CONSTRAINTS:
        return f"{'!' if item.right == Constant(0) else ''}{left.removeprefix('@')}"
    return f"{left} {item.operator} {right}"


def format_body(body: Body, *, nested: bool = False) -> str:
    """Write a body; a ``nested`` one gets parentheses where the grammar needs them."""
    match body:
        case Atom():
            return format_atom(body)
        case Negation(atom=atom):
            return f"!{format_atom(atom)}"
        case Comparison():
            return format_comparison(body, format_term(body.left), format_term(body.right))
        case Conjunction(items=items):
            text = ", ".join(format_body(item, nested=True) for item in items)
        case Disjunction(alternatives=alternatives):
            text = "; ".join(format_body(item, nested=isinstance(item, Disjunction)) for item in alternatives)
    return f"({text})" if nested else text


def format_rule(rule: Rule) -> str:
    """Write a normalized rule on one line."""
    body = ", ".join(map(format_body, rule.body))
    return f"{format_atom(rule.head)} :- {body}." if body else f"{format_atom(rule.head)}."


def format_statement(statement: Statement) -> str:
    """Write one statement, with the documentation of a declaration above it."""
    match statement:
        case TypeDeclaration(name=name, base=base):
            return f".type {name} <: {base}"
        case RelationDeclaration(name=name, columns=columns, doc=doc, hints=hints):
            above = f"// {doc}\n" if doc else ""
            tuned = "".join(f" {hint}" for hint in hints)
            return f"{above}.decl {name}({', '.join(f'{c.name}: {c.type}' for c in columns)}){tuned}"
        case FunctorDeclaration(name=name, parameters=parameters, result=result):
            return f".functor {name}({', '.join(f'{c.name}: {c.type}' for c in parameters)}): {result}"
        case Directive(kind=kind, relations=relations):
            return f".{kind} {', '.join(relations)}"
        case Hint(text=text):
            return text
        case Clause(heads=heads, body=body):
            head = ", ".join(map(format_atom, heads))
            return f"{head}." if body is None else f"{head} :-\n    {format_body(body)}."


def format_program(statements: tuple[Statement, ...]) -> str:
    """Write a whole program, statement by statement."""
    return "".join(f"{format_statement(statement)}\n" for statement in statements)
