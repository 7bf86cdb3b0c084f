"""A Datalog engine: stratified negation, incremental evaluation, least proofs, why-not. It knows no Kubernetes.

Only the parser is not exported here: lark is slow to import, and a program from the cache needs no parsing.

>>> from liqo_connectivity.engine import Explainer, Program, evaluate, prove
>>> text = '''
... .decl edge(source: symbol, target: symbol)
... .input edge
... .decl path(source: symbol, target: symbol)
... .output path
... path(X, Y) :- edge(X, Y).
... path(X, Z) :- path(X, Y), edge(Y, Z).
... '''
>>> program = Program.parse({"paths.dl": text})
>>> model = evaluate(program, {"edge": [("a", "b"), ("b", "c")]})
>>> model.rows("path")
[('a', 'b'), ('a', 'c'), ('b', 'c')]
>>> proof = prove(Explainer(model), "path", ("a", "c"))
>>> proof.height, [str(premise) for premise in proof.premises]
(2, ['path("a", "b")', 'edge("b", "c")'])
"""

from liqo_connectivity.engine.incremental.database import Database, RuleCounters, evaluate
from liqo_connectivity.engine.incremental.limits import Limits
from liqo_connectivity.engine.incremental.transactions import Delta
from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.stratification import dependencies
from liqo_connectivity.engine.proofs.enumeration import Proofs, proofs
from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.proofs.proof import Absent, Aggregated, Holds, Premise, Proof, premises
from liqo_connectivity.engine.proofs.provenance import prove
from liqo_connectivity.engine.storage.fact_check import Facts
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.arithmetic import EvaluationError
from liqo_connectivity.engine.syntax.diagnostics import (
    DatalogError,
    Diagnostic,
    FactError,
    LimitError,
    OracleError,
    ProgramError,
    Span,
    UnknownRelationError,
)
from liqo_connectivity.engine.syntax.functors import BUILTIN, Functor
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Clause,
    Comparison,
    Constant,
    Literal_,
    Negation,
    RelationDeclaration,
    Row,
    Rule,
    Statement,
    Value,
    Variable,
)
from liqo_connectivity.engine.syntax.printer import (
    format_atom,
    format_body,
    format_rule,
    format_statement,
    format_value,
)
from liqo_connectivity.engine.why_not.absence import Absence, Failure, pattern
from liqo_connectivity.engine.why_not.failures import why_not
from liqo_connectivity.engine.why_not.index_preparation import prepare_why_not

__all__ = [
    "BUILTIN",
    "Absence",
    "Absent",
    "Aggregate",
    "Aggregated",
    "Atom",
    "Clause",
    "Comparison",
    "Constant",
    "Database",
    "DatalogError",
    "Delta",
    "Diagnostic",
    "EvaluationError",
    "Explainer",
    "FactError",
    "Facts",
    "Failure",
    "Functor",
    "Holds",
    "LimitError",
    "Limits",
    "Literal_",
    "Model",
    "Negation",
    "OracleError",
    "Premise",
    "Program",
    "ProgramError",
    "Proof",
    "Proofs",
    "RelationDeclaration",
    "Row",
    "Rule",
    "RuleCounters",
    "Span",
    "Statement",
    "UnknownRelationError",
    "Value",
    "Variable",
    "dependencies",
    "evaluate",
    "format_atom",
    "format_body",
    "format_rule",
    "format_statement",
    "format_value",
    "pattern",
    "premises",
    "prepare_why_not",
    "proofs",
    "prove",
    "why_not",
]
