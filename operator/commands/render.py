"""``render``: prints the chain of every enforced policy, for Liqo or for nft.

A pending policy is named and left out, so that its last enforced chain survives when the output is applied.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import click

from liqo_connectivity import chains
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.sources.input import AGENT, LIQO, NFTABLES, Input
from liqo_connectivity.operator.sources.session import Session


@click.command(
    "render",
    epilog="\b\nExamples:\n  liqo-connectivity render -f examples/consumer\n"
    "  liqo-connectivity render -f examples/consumer -o nft | sudo nft -f -",
)
@output_option("yaml", "json", "nft", "nft-json")
@input_options
def command(given: Input, output: str) -> int:
    """Print the nftables chains that enforce the policies.

    The output is Liqo FirewallConfigurations (yaml, json), or for nft itself, which matches more than Liqo's agents, an nft
    script (nft) or libnftables JSON (nft-json). With --enforcer agent these judge each packet by its connection, so that a
    new deny cuts what it forbids, and filter what nodes receive; yaml and json are then the same chains as objects: for
    each peering its ConnectivitySetSlices, at revision 1, and the ConnectivityChain that names them. Pending policies are
    left out and named on stderr.

    Exits with 0 if every policy has its chain, 3 if a policy is pending or an object could not be read.
    """
    if given.enforcer == NFTABLES and output in ("yaml", "json"):
        raise click.UsageError(f"-o {output} is for agents; with --enforcer {NFTABLES}, use -o nft or -o nft-json")
    session = Session.open(given)
    if output in ("nft", "nft-json") and given.enforcer == LIQO:
        session = session.enforced_by(NFTABLES)
    goals = (
        *chains.COLUMNS,
        "pending",
        "invalid_rule",
        "invalid_field",
        "invalid_default",
        "finding",
        "unenforced",
        "group",
        "policy",
    )
    model = session.solve_verified(goals)
    report.problems(session.reading)
    report.pending(model, given.namespace)
    report.findings(model)
    layout = chains.Layout.from_relations({name: model.rows(name) for name in chains.COLUMNS})
    forms = AGENT_FORMS if session.enforcer == AGENT else FORMS
    text, broken = forms[output](layout, given.namespace)
    click.echo(text, nl=False)
    unenforced = any(given.namespace in ("", str(policy).split("/")[0]) for (policy,) in model.rows("unenforced"))
    return exits.UNKNOWN if broken or unenforced or session.reading.problems else exits.OK


class _Written(Protocol):
    @property
    def namespace(self) -> str: ...


_T = TypeVar("_T", bound=_Written)


def _form(
    encode: Callable[[chains.Layout], tuple[_T, ...]], write: Callable[[tuple[_T, ...]], str]
) -> Callable[[chains.Layout, str], tuple[str, bool]]:
    """A form of chains: gives the text of those of a namespace, or of all, and whether a peering has none, which is printed."""

    def written(layout: chains.Layout, namespace: str) -> tuple[str, bool]:
        tables: list[_T] = []
        broken = False
        for peering, part in layout.by_peering().items():
            try:
                tables += [t for t in encode(part) if namespace in ("", t.namespace)]
            except chains.ChainError as error:
                broken = True
                click.echo(f"error: peering {peering}: {error}", err=True)
        return write(tuple(tables)), broken

    return written


def _published(layout: chains.Layout) -> tuple[chains.Publication, ...]:
    """The publication of the peering that a layout is of, with nothing published before."""
    four, six = chains.assemble_agent(layout)
    made = chains.publication((four, six), revision=1)
    # What is too large is found here, where it is known whose it is.
    chains.published_objects(made)
    return (made,)


FORMS: Final = {
    "yaml": _form(chains.assemble, chains.firewall_yaml),
    "json": _form(chains.assemble, chains.firewall_json),
    "nft": _form(chains.assemble_nft, chains.nft_script),
    "nft-json": _form(chains.assemble_nft, chains.nft_transaction_json),
}
AGENT_FORMS: Final = {
    "yaml": _form(_published, chains.published_yaml),
    "json": _form(_published, chains.published_json),
    "nft": _form(chains.assemble_agent, chains.agent_script),
    "nft-json": _form(chains.assemble_agent, chains.agent_transaction_json),
}
"""How each output format is made, and how for an agent."""
