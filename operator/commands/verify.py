"""``verify``: does a certificate hold, by the rules and the facts that the user trusts?

Reads files and prints what the checker says. It loads neither the engine nor anything that the answer came from. This
module must not decide anything.
"""

import json
from importlib.resources import files

import click

from liqo_connectivity import checker
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import output_option
from liqo_connectivity.operator.explain.document.output import echo_document
from liqo_connectivity.operator.sources.text import read_text


@click.command(
    "verify",
    epilog="\b\nExample:\n  liqo-connectivity facts dump -f examples/consumer > facts.jsonl\n"
    "  liqo-connectivity why shop/web-2 shop/web-0 -f facts.jsonl -o json > why.json\n"
    "  liqo-connectivity verify why.json --facts facts.jsonl",
)
@click.argument("proof", metavar="PROOF")
@click.option("--facts", "dump", required=True, metavar="DUMP", help="The facts to trust: JSON Lines of `facts dump`.")
@click.option("--rules", multiple=True, metavar="FILE", help="Rules to trust besides the built-in ones. Repeatable.")
@output_option("text", "json")
def command(proof: str, dump: str, rules: tuple[str, ...], output: str) -> int:
    """Check a certificate: the JSON that `why` prints, or - for stdin.

    By code that shares nothing with the engine: every step must be an instance of a rule, every leaf a fact of DUMP,
    what is absent must not follow, no governing peering may be left out, and the verdict must follow. Exits with 0 when
    the certificate holds, 5 when it does not (the first bad node is named), 3 when it cannot show what it claims
    (between groups it shows denials only) or DUMP is damaged.
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
        document: object = json.loads(read_text(proof))
    except (ValueError, RecursionError):
        return _tell(output, exits.REJECTED, f"rejected: {proof}: it is not JSON", "it is not JSON")
    try:
        found = checker.check(document, trusted, facts)
    except checker.RejectedError as error:
        return _tell(output, exits.REJECTED, f"rejected: {error}", error.problem, error.pointer)
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


def _builtin() -> dict[str, str]:
    folder = files("liqo_connectivity.rules")
    return {f"rules/{p.name}": p.read_text("utf-8") for p in folder.iterdir() if p.name.endswith(".dl")}
