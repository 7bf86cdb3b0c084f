"""``render``: prints the chain of every enforced policy, for Liqo or for nft.

A pending policy is named and left out, so that its last enforced chain survives when the output is applied.
"""

import click

from liqo_connectivity import chains
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.sources.input import NFTABLES, Input
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
    script (nft) or libnftables JSON (nft-json). Pending
    policies are left out and named on stderr.

    Exits with 0 if every policy has its chain, 3 if a policy is pending or an object could not be read.
    """
    if given.enforcer == NFTABLES and output in ("yaml", "json"):
        raise click.UsageError(
            f"-o {output} is for Liqo's agents; with --enforcer {NFTABLES}, use -o nft or -o nft-json"
        )
    session = Session.open(given)
    if output in ("nft", "nft-json"):
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
    encode, write = {
        "yaml": (chains.assemble, chains.firewall_yaml),
        "json": (chains.assemble, chains.firewall_json),
        "nft": (chains.assemble_nft, chains.nft_script),
        "nft-json": (chains.assemble_nft, chains.nft_transaction_json),
    }[output]
    tables: list[chains.Table] = []
    broken = False
    for peering, part in layout.by_peering().items():
        try:
            tables += [t for t in encode(part) if given.namespace in ("", t.namespace)]
        except chains.ChainError as error:
            broken = True
            click.echo(f"error: peering {peering}: {error}", err=True)
    click.echo(write(tuple(tables)), nl=False)
    unenforced = any(given.namespace in ("", str(policy).split("/")[0]) for (policy,) in model.rows("unenforced"))
    return exits.UNKNOWN if broken or unenforced or session.reading.problems else exits.OK
