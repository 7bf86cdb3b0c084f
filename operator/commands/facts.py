"""``facts dump`` and ``facts load``: the facts of a cluster, written down and read back."""

import json
from pathlib import Path

import click

from liqo_connectivity.facts import FactBase
from liqo_connectivity.facts.dumps.dump import jsonl_lines, write_folder
from liqo_connectivity.facts.dumps.redaction import redact
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import object_options, operator_option, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.sources.input import ObjectSource, read_objects


@click.group("facts")
def command() -> None:
    """Write down, and read back, the facts of a cluster.

    A dump holds what policies are decided by, with the object and field of each fact: no Secrets, no environment, no
    annotations but Liqo's own. Every command takes one with -f.
    """


@command.command(
    "dump",
    epilog="\b\nExamples:\n  liqo-connectivity facts dump -f examples/consumer > facts.jsonl\n"
    "  liqo-connectivity facts dump -f examples/consumer -o souffle --output-folder facts/ --redact\n"
    "  liqo-connectivity facts dump --operator > facts.jsonl",
)
@click.option("--redact", "hide", is_flag=True, help="Replace names by pseudonyms; verdicts stay the same.")
@click.option("--output-folder", default="", metavar="DIR", help="Where -o souffle writes its files.")
@operator_option
@output_option("jsonl", "souffle")
@object_options
def dump(objects: ObjectSource, hide: bool, output_folder: str, output: str) -> int:
    """Write the facts of a cluster: JSON Lines with provenance, or a folder of .facts files for Souffle.

    The same objects in any order give the same bytes. Exits with 3 when an object could not be read.
    """
    if (output == "souffle") != bool(output_folder):
        raise click.UsageError("-o souffle and --output-folder go together")
    reading = read_objects(objects)
    report.problems(reading)
    base = redact(reading.base) if hide else reading.base
    if output == "souffle":
        folder = Path(output_folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_folder(base, folder)
        except OSError as error:
            raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    else:
        for line in jsonl_lines(base):
            click.echo(line)
    return exits.UNKNOWN if reading.problems else exits.OK


@command.command("load", epilog="\b\nExample:\n  liqo-connectivity facts load facts.jsonl")
@click.argument("path", metavar="DUMP", type=click.Path(exists=True))
@output_option("text", "json")
def load(path: str, output: str) -> int:
    """Read a dump back and count its facts by relation. Exits with 3 when part of it cannot be read."""
    reading = read_objects(ObjectSource((path,)))
    report.problems(reading)
    counts = _counts(reading.base)
    if output == "json":
        click.echo(json.dumps(counts, indent=2))
    else:
        width = max(map(len, counts), default=0)
        for relation, count in counts.items():
            click.echo(f"{relation.ljust(width)}  {count}")
    return exits.UNKNOWN if reading.problems else exits.OK


def _counts(base: FactBase) -> dict[str, int]:
    return {relation: count for relation, count in base.counts().items() if count}
