"""``top``: which rules packets meet, and which none ever met."""

import json
import sys
import time
from collections.abc import Sequence
from typing import TextIO

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.agent.telling.client import URL, fetched
from liqo_connectivity.operator.agent.telling.counts import ListingError, RuleCount, by_rule, read_listing

_CLEAR = "\x1b[H\x1b[2J"
"""Clears a terminal, and goes to its first line."""


@click.command(
    "top",
    epilog="\b\nExamples:\n"
    "  liqo-connectivity top\n"
    "  liqo-connectivity top -f examples/agent/counters.json\n"
    "  nft -j list counters | liqo-connectivity top -f - -o json",
)
@click.option(
    "-f",
    "--filename",
    metavar="FILE|-",
    type=click.File("r", encoding="utf-8"),
    help="What `nft -j list counters` printed on a node, in place of an agent.",
)
@click.option("--url", default=URL, show_default=True, help="The agent of a node, on loopback or by a port-forward.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often a terminal is refreshed.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("auto", "text", "json")),
    default="auto",
    show_default=True,
    help="auto is text, refreshed until Ctrl-C, on a terminal, and json elsewhere. With -f, nothing is refreshed.",
)
def command(filename: TextIO | None, url: str, interval: float, output: str) -> int:
    """Show the rules of a node's chains by how many packets each has decided, and those that decided none.

    The counters are those that the chains of --enforcer agent have: packets in the direction of their connection, against it,
    and those of no connection. A rule is named by its index in the policy, as in `why`.
    """
    terminal = sys.stdout.isatty()
    text = output == "text" or (output == "auto" and terminal)
    while True:
        try:
            rules = by_rule(read_listing(filename.read() if filename is not None else fetched(url, "/counters")))
        except ListingError as error:
            raise click.UsageError(f"{getattr(filename, 'name', url)}: {error}") from None
        if not text:
            click.echo(json.dumps(_document(rules)))
            return exits.OK
        shown = "\n".join(_lines(rules))
        if output == "text" or not terminal or filename is not None:
            click.echo(shown)
            return exits.OK
        click.echo(f"{_CLEAR}{shown}")
        time.sleep(interval)


def _document(rules: Sequence[RuleCount]) -> dict[str, object]:
    met = sorted((each for each in rules if each.packets), key=_rank)
    never = [{"peering": each.peering, "rule": each.rule} for each in rules if not each.packets]
    return {"rules": [each._asdict() for each in met], "never": never}


def _lines(rules: Sequence[RuleCount]) -> list[str]:
    if not rules:
        return ["there are no counters of an agent's chains"]
    met = sorted((each for each in rules if each.packets), key=_rank)
    columns = ("PEERING", "RULE", "PACKETS", "BYTES", "REQUESTS", "REPLIES", "NO CONNECTION")
    rows = [tuple(map(str, (r.peering, r.rule, r.packets, r.bytes, r.original, r.reply, r.packet))) for r in met]
    never: dict[str, list[str]] = {}
    for each in rules:
        if not each.packets:
            never.setdefault(each.peering, []).append(each.rule)
    unmet = [f"no packet met: {peering}: {', '.join(names)}" for peering, names in never.items()]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return [*(_aligned(row, widths) for row in ((columns, *rows) if rows else ())), *unmet]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """A line: words to the left, numbers to the right."""
    cells = [
        each.ljust(width) if at < 2 else each.rjust(width)
        for at, (each, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _rank(count: RuleCount) -> tuple[int, str, str]:
    return -count.packets, count.peering, count.rule
