"""``verify``: checks a certificate against the rules and facts that the user trusts.

It must not import the engine or anything else that made the certificate; a test keeps it so.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

import click

from liqo_connectivity import checker
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import limit_options, output_option
from liqo_connectivity.operator.explain.document.output import echo_document
from liqo_connectivity.operator.sources.text import read_text


@click.command(
    "verify",
    epilog="\b\nExample:\n  liqo-connectivity facts dump -f examples/consumer > facts.jsonl\n"
    "  liqo-connectivity why shop/web-2 shop/web-0 -f facts.jsonl -o json > why.json\n"
    "  liqo-connectivity verify why.json --facts facts.jsonl",
)
@click.argument("proof", metavar="PROOF")
@click.option("--facts", "dump", required=True, metavar="DUMP", help="Facts to trust, written by `facts dump`.")
@click.option("--rules", multiple=True, metavar="FILE", help="Rules to trust besides the built-in rules. Repeatable.")
@output_option("text", "json")
@limit_options
def command(proof: str, dump: str, rules: tuple[str, ...], output: str, seconds: float, megabytes: int) -> int:
    """Verify the proof of an answer, independently of the engine.

    PROOF is the output of `why -o json`, or - for stdin. The checker shares no code with the engine. It checks that
    every step is an instance of a rule and every leaf a fact of DUMP, that absent tuples cannot be derived, that no
    governing peering is missing, and that the verdict follows.

    Exits with 0 if the certificate holds, 5 if it does not, naming the first wrong step, and 3 if DUMP is damaged or
    the claim cannot be certified (between groups, only denials can). Rules that take more than the limits
    end it with 4.
    """
    try:
        trusted = checker.read_rules({**_builtin(), **{path: read_text(path) for path in rules}})
    except checker.RulesError as error:
        raise click.UsageError(f"the rules cannot be used: {error}") from None
    try:
        facts = checker.read_facts(read_text(dump).splitlines(keepends=True), trusted)
    except checker.DumpError as error:
        return _tell(output, exits.UNKNOWN, f"unknown: {dump}: {error}", str(error))
    try:
        document = checker.read_certificate(read_text(proof))
    except checker.RejectedError as error:
        return _tell(output, exits.REJECTED, f"rejected: {proof}: {error.problem}", error.problem)
    try:
        found = checker.check(document, trusted, facts, _schema(), checker.Limits(seconds, megabytes))
    except checker.RejectedError as error:
        return _tell(output, exits.REJECTED, f"rejected: {error}", error.problem, error.pointer)
    except checker.RulesError as error:
        raise click.UsageError(f"the rules cannot be used: {error}") from None
    except checker.LimitError as error:
        help_text = "correct the rule if it never ends; --limit-seconds and --limit-megabytes set the limits"
        click.echo(f"error: {error}\n  = help: {help_text}", err=True)
        return exits.INTERNAL
    except checker.NotShownError as error:
        return _tell(output, exits.UNKNOWN, f"unknown: {error}", str(error))
    counts = f"{found.steps} steps, {found.facts} facts, {found.absences} absences"
    by = f" by {', '.join(found.peerings)}" if found.peerings else ""
    return _tell(output, exits.OK, f"ok: {found.verdict} {found.source} -> {found.destination}{by}: {counts}")


def _tell(output: str, code: int, line: str, problem: str | None = None, pointer: str | None = None) -> int:
    if output == "text":
        click.echo(line)
    else:
        results = {exits.OK: "ok", exits.REJECTED: "rejected", exits.UNKNOWN: "unknown"}
        echo_document({"result": results[code], "node": pointer, "problem": problem}, output)
    return code


def _schema() -> Mapping[str, Any]:
    text = files("liqo_connectivity.operator").joinpath("explain").joinpath("why.schema.json").read_text("utf-8")
    return cast("dict[str, Any]", json.loads(text))


def _builtin() -> dict[str, str]:
    folder = files("liqo_connectivity.rules")
    return {f"rules/{p.name}": p.read_text("utf-8") for p in folder.iterdir() if p.name.endswith(".dl")}
