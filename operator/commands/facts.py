"""``facts dump`` and ``facts load``: writes the facts of a cluster, and reads them back."""

import json
from pathlib import Path

import click

from liqo_connectivity.facts import FactBase, jsonl_lines, redact, write_folder
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import object_options, operator_option, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.sources.input import ObjectSource, read_objects


@click.group("facts")
def command() -> None:
    """Dump the facts of a cluster, or load a dump.

    A dump holds every fact that policies depend on, with the object and field it was read from. It contains no Secrets,
    no environment variables and no annotations except Liqo's. Every command accepts a dump with -f.
    """


@command.command(
    "dump",
    epilog="\b\nExamples:\n  liqo-connectivity facts dump -f examples/consumer > facts.jsonl\n"
    "  liqo-connectivity facts dump -f examples/consumer -o souffle --output-folder facts/ --redact\n"
    "  liqo-connectivity facts dump --operator > facts.jsonl",
)
@click.option("--redact", "hide", is_flag=True, help="Replace names with pseudonyms; verdicts stay the same.")
@click.option("--output-folder", default="", metavar="DIR", help="Folder for the files of -o souffle.")
@operator_option
@output_option("jsonl", "souffle")
@object_options
def dump(objects: ObjectSource, hide: bool, output_folder: str, output: str) -> int:
    """Write the facts of a cluster: JSON Lines with provenance, or a folder of .facts files for Souffle.

    The same objects in any order give the same bytes. Exits with 3 if an object could not be read.
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
        except OSError as error:
            raise click.UsageError(f"--output-folder {output_folder}: {error.strerror}") from None
        write_folder(base, folder)
    else:
        for line in jsonl_lines(base):
            click.echo(line)
    return exits.UNKNOWN if reading.problems else exits.OK


@command.command("load", epilog="\b\nExample:\n  liqo-connectivity facts load facts.jsonl")
@click.argument("path", metavar="DUMP", type=click.Path(exists=True))
@output_option("text", "json")
def load(path: str, output: str) -> int:
    """Read a dump and count its facts by relation.

    Exits with 3 if part of the dump cannot be read.
    """
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
