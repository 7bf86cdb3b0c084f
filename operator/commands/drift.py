"""``drift``: compares what policies say with what is stored for Liqo's agents, and with what a kernel has."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from liqo_connectivity import chains
from liqo_connectivity.engine import Explainer, Model
from liqo_connectivity.facts import Problem, Reading
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, output_option
from liqo_connectivity.operator.explain import drift, report
from liqo_connectivity.operator.explain.document.drift import drift_document
from liqo_connectivity.operator.explain.document.output import echo_document
from liqo_connectivity.operator.explain.drift import StoredTable
from liqo_connectivity.operator.explain.text.drift import comparison_lines, report_lines
from liqo_connectivity.operator.sources.input import AGENT, FIREWALLS, LIQO, NFTABLES, Input
from liqo_connectivity.operator.sources.session import Session

GOALS = (*chains.COLUMNS, "pending", "invalid_rule", "unenforced", "policy", "group")
_LIST = "kubectl get firewallconfigurations -A -o yaml"


@click.command(
    "drift",
    epilog="\b\nExamples:\n"
    "  liqo-connectivity drift -f examples/consumer -f examples/drift/stored.yaml --nft examples/drift/worker-1.json\n"
    "  kubectl debug node/worker-1 -q -i --image=IMAGE --profile=sysadmin -- nft -j list ruleset | \\\n"
    "    liqo-connectivity drift --nft - --node worker-1 --proof",
)
@click.option(
    "--nft",
    "listing",
    metavar="FILE|-",
    help="What `nft -j list ruleset` printed on a node, whole. Without it, no kernel is compared.",
)
@click.option("--node", default="", metavar="NAME", help="The node of the listing: say what its agent reports.")
@click.option("--proof", "with_proof", is_flag=True, help="Prove what rules derive about each difference.")
@output_option("text", "json", "yaml")
@input_options
def command(given: Input, listing: str | None, node: str, with_proof: bool, output: str) -> int:
    """Compare policies with the stored FirewallConfigurations, and those with a kernel.

    What policies say, what is stored for Liqo's agents and what the kernel of a node has must be the same. Prints each
    difference by rule or element of a set, and when the object was last written. Rules are compared by what they match, and
    in order. Without -f, policies and stored objects are read from the live cluster. With --enforcer nftables or
    agent nothing is stored, and the kernel is compared with the policies.

    Exits with 0 if all are the same, 1 if anything differs, 3 if that is not known: an object could not be read, a policy
    is pending, or there is nothing to compare with.
    """
    if node and listing is None:
        raise click.UsageError("--node names the node of a listing: give it with --nft")
    if listing == "-" and "-" in given.objects.files:
        raise click.UsageError("standard input is either objects or a listing: write one of them to a file")
    session = Session.open(given, (FIREWALLS,))
    reading = session.reading
    model = session.solve_verified(GOALS)
    report.problems(reading)
    report.pending(model, given.namespace)
    objects, problems = _objects(reading)
    stored = (
        objects
        if session.enforcer == LIQO and (objects or not given.objects.files or given.objects.assume_complete)
        else None
    )
    if session.enforcer == LIQO and stored is None:
        problems.append(
            Problem(message="the files hold no FirewallConfiguration", help=f"add what this prints: {_LIST}")
        )
    if session.enforcer != LIQO and listing is None:
        raise click.UsageError(f"with --enforcer {session.enforcer} nothing is stored: give a listing with --nft")
    listed, problem = _listed(listing, chains.AGENT_PREFIX if session.enforcer == AGENT else chains.PREFIXES)
    rendered, unwritten = _rendered(session, model)
    problems += [*problem, *unwritten]
    for what in problems:
        click.echo(f"error: {what}", err=True)
    pending = {str(row[0]) for row in model.rows("unenforced")}
    found = [
        each
        for each in drift.comparisons(drift.Tables(rendered, stored, listed), pending)
        if given.namespace in ("", each.policy.partition("/")[0])
    ]
    differing = [each for each in found if each.differences]
    unknown = reading.problems or problems or any(given.namespace in ("", each.partition("/")[0]) for each in pending)
    verdict = "drift" if any(not each.waits for each in differing) else "unknown" if unknown else "same"
    if reading.problems or problems:
        verdict = "unknown"
    explainer = Explainer(model) if with_proof else None
    if output == "text":
        for each in differing:
            click.echo("\n".join(comparison_lines(each, model, reading.base, explainer)))
        for line in _reports(stored or (), reading, node):
            click.echo(line)
        if not differing:
            click.echo(f"{len(found)} compared, {'nothing differs' if found else 'nothing to compare'}")
    else:
        echo_document(drift_document(verdict, found, model, reading.base, explainer), output)
    return {"same": exits.OK, "drift": exits.DENIED, "unknown": exits.UNKNOWN}[verdict]


def _objects(reading: Reading) -> tuple[list[StoredTable], list[Problem]]:
    """The stored objects, each once, and those that differ from one another."""
    found: dict[str, StoredTable] = {}
    problems: list[Problem] = []
    for value, file in reading.kept:
        each = drift.stored_table(value)
        other = found.setdefault(each.name, each)
        if other != each:
            namespace, _, name = each.name.partition("/")
            message = "is given twice, and the two differ"
            problems.append(
                Problem(file, 0, "FirewallConfiguration", namespace, name, "", message, "keep the newer one")
            )
    return [found[name] for name in sorted(found)], problems


def _listed(
    listing: str | None,
    prefixes: str | tuple[str, ...],
) -> tuple[Mapping[tuple[str, str], chains.TableView] | None, list[Problem]]:
    """The tables of a listing, and why it cannot be read."""
    if listing is None:
        return None, []
    try:
        text = sys.stdin.buffer.read() if listing == "-" else Path(listing).read_bytes()
        return chains.view_listing(text.decode(), prefixes), []
    except OSError as error:
        raise click.UsageError(f"--nft {listing}: cannot be read: {error.strerror}") from None
    except (chains.ChainError, UnicodeDecodeError) as error:
        return None, [Problem(file=listing, message=str(error))]


def _rendered(session: Session, model: Model) -> tuple[list[chains.Table | chains.AgentTable], list[Problem]]:
    """The tables of all enforced policies, and the peerings of which none can be written."""
    encoders: dict[str, Callable[[chains.Layout], Iterable[chains.Table | chains.AgentTable]]] = {
        LIQO: chains.assemble,
        NFTABLES: chains.assemble_nft,
        AGENT: chains.assemble_agent,
    }
    encode = encoders[session.enforcer]
    tables: list[chains.Table | chains.AgentTable] = []
    problems: list[Problem] = []
    layout = chains.Layout.from_relations({name: model.rows(name) for name in chains.COLUMNS})
    for peering, part in layout.by_peering().items():
        try:
            tables += encode(part)
        except chains.ChainError as error:
            problems.append(Problem(message=f"peering {peering}: {error}"))
    return tables, problems


def _reports(stored: Iterable[StoredTable], reading: Reading, node: str) -> list[str]:
    """What the agent of the node says of each stored object of ours."""
    if not node:
        return []
    pods = {str(row[0]).rpartition("/")[2] for row in reading.base.rows("pod_node") if row[1] == node}
    lines: list[str] = []
    for each in stored:
        if each.managed:
            said = report_lines([one for one in each.reports if one.host in pods], node)
            lines += [f"{each.name}:", *(said or [f"  no agent of node {node} reports that it applied it"])]
    return lines
