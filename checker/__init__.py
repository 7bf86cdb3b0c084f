"""Checks the certificate of an answer of ``why``, with code that shares nothing with the engine.

``read_rules`` reads the rules that the user trusts, ``read_facts`` the facts, and ``check`` follows a certificate (the
JSON of ``why``, in the form of the published schema) step by step: every step is an instance of a trusted rule, every leaf a fact, and the claims at the top
follow. Absence, and that no governing peering is left out, is checked against everything that follows from rules and
facts, which is derived here a second time. This room imports no other room and nothing outside the standard library.
"""

from liqo_connectivity.checker.certificate import Checked, check
from liqo_connectivity.checker.dialect import read_rules
from liqo_connectivity.checker.dump import DumpError, SourcedFacts, read_facts
from liqo_connectivity.checker.limits import LimitError, Limits
from liqo_connectivity.checker.pairs import NotShownError
from liqo_connectivity.checker.proof import RejectedError
from liqo_connectivity.checker.schema import read_certificate
from liqo_connectivity.checker.syntax import RulesError, TrustedRules

__all__ = [
    "Checked",
    "DumpError",
    "LimitError",
    "Limits",
    "NotShownError",
    "RejectedError",
    "RulesError",
    "SourcedFacts",
    "TrustedRules",
    "check",
    "read_certificate",
    "read_facts",
    "read_rules",
]
