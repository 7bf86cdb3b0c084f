"""``preset``: prints a policy for a common wish, and the matrix of who then reaches whom."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import limit_options, object_options, output_option, rules_option
from liqo_connectivity.operator.explain import preset as presets
from liqo_connectivity.operator.sources.input import ObjectSource, read_objects

if TYPE_CHECKING:
    from liqo_connectivity.engine import Model
    from liqo_connectivity.facts import FactBase
    from liqo_connectivity.operator.explain.matrix import Matrix
    from liqo_connectivity.operator.sources.question import Question

_KIND: Final = "PeeringConnectivity"
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_LABEL: Final = 63


@click.command(
    "preset",
    epilog="\b\nExamples:\n  liqo-connectivity preset offload-only --peering milan | kubectl apply -f -\n"
    "  liqo-connectivity preset segregated --peering rome -f examples/provider\n"
    "  liqo-connectivity preset protected-borders --peering milan --context rome -o json",
)
@click.argument("name", metavar="NAME", type=click.Choice(presets.NAMES))
@click.option("--peering", required=True, metavar="ID", help="Cluster id of the remote cluster.")
@click.option(
    "-n",
    "--namespace",
    default="",
    metavar="NAME",
    help="Tenant namespace of the peering. Without it, that of the input, or else liqo-tenant-ID.",
)
@output_option("yaml", "json")
@rules_option
@limit_options
@object_options
def command(
    objects: ObjectSource,
    name: str,
    peering: str,
    namespace: str,
    output: str,
    rules: tuple[str, ...],
    seconds: float,
    megabytes: int,
) -> int:
    """Print a policy for a common wish, and who then reaches whom.

    NAME is open, offload-only (only what was offloaded talks across), segregated (each peer sees only its own slice),
    protected-borders (nothing enters that was not asked for from inside) or default-deny.

    The policy is YAML with comments, which kubectl takes as it is. Below it, as comments, stands the verdict on new
    connections between every two groups, and the rule that decides. It is derived from the cluster of -f, --kubeconfig or
    --context, whose policy of the peering the preset replaces; without these options, from a small built-in cluster that
    has every role.

    Exits with 0 if every verdict is known, 3 if one is unknown or an object could not be read.
    """
    # Not for --help: the engine and the readers.
    from liqo_connectivity.engine import Limits, evaluate
    from liqo_connectivity.operator.explain import report
    from liqo_connectivity.operator.explain.matrix import matrix_of_groups
    from liqo_connectivity.operator.explain.reasons import sentence
    from liqo_connectivity.operator.sources.question import question_facts
    from liqo_connectivity.operator.sources.rules import build_program, rule_texts

    _check("--peering", peering)
    program = build_program(rule_texts(rules))
    limits = Limits(seconds=seconds, megabytes=megabytes)
    problems = False
    if objects.files or objects.kubeconfig or objects.context:
        reading = read_objects(objects)
        report.problems(reading)
        base, problems = reading.base, bool(reading.problems)
        about = "in the cluster that was read"
    else:
        tenant = namespace or f"liqo-tenant-{peering}"
        base = _model(peering, _check("--namespace", tenant))
        about = "in a small cluster that has every role; -f or --context reads yours"

    def solve(goals: "Iterable[str]", asked: "Iterable[Question]" = ()) -> "Model":
        return evaluate(program.slice(tuple(goals)), {**dict(base.relations()), **question_facts(asked)}, limits)

    model = solve(("peering", "tenant_namespace", "idle_group"))
    namespace = _check("--namespace", _tenant(model, peering, namespace))
    preset = presets.load(name).without({str(group) for owner, group in model.rows("idle_group") if owner == peering})
    policy = f"{namespace}/{peering}"
    _put(base, preset.policy(peering, namespace))
    found = matrix_of_groups(solve, base, peering)
    for owner, *reason in solve(("pending",)).rows("pending"):
        if owner == policy:
            click.echo(f"pending: {_KIND} {policy}: {sentence(*reason)}", err=True)
    if output == "json":
        click.echo(json.dumps(_document(preset.policy(peering, namespace), found), indent=2))
    else:
        click.echo("\n".join(_lines(preset, peering, namespace, about, found)))
    unknown = any(outcome.verdict == "unknown" for cell in found.cells for outcome in cell.outcomes)
    return exits.UNKNOWN if problems or unknown else exits.OK


def _check(option: str, name: str) -> str:
    if len(name) > _MAX_LABEL or not _LABEL.fullmatch(name):
        raise click.UsageError(
            f"{option} {name!r}: a name has at most {_MAX_LABEL} lower case letters, digits and hyphens, and neither "
            "begins nor ends with a hyphen"
        )
    return name


def _model(peering: str, tenant: str) -> "FactBase":
    from liqo_connectivity.facts import FactBase

    base = FactBase()
    for value in presets.model_objects(peering, tenant):
        _assert(base, value)
    return base


def _assert(base: "FactBase", value: "Mapping[str, object]") -> None:
    from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping

    decoded = decode_mapping(KIND_BY_NAME[str(value["kind"])], value)
    base.replace(decoded.key, decoded.facts)


def _tenant(model: "Model", peering: str, given: str) -> str:
    """Give the tenant namespace of a peering. Raises click.UsageError for no such peering, or if the cluster has another."""
    if not model.contains("peering", (peering,)):
        peerings = ", ".join(sorted(str(name) for (name,) in model.rows("peering"))) or "none"
        raise click.UsageError(f"there is no peering {peering!r} in the input; peerings: {peerings}")
    tenants = [str(name) for owner, name in model.rows("tenant_namespace") if owner == peering]
    if given and tenants and given not in tenants:
        raise click.UsageError(
            f"--namespace {given}: the tenant namespace of {peering} is {tenants[0]}, and a policy elsewhere governs "
            "nothing; leave --namespace out"
        )
    return given or next(iter(tenants), f"liqo-tenant-{peering}")


def _put(base: "FactBase", policy: presets.Object) -> None:
    """Put the preset's policy in place of those of its namespace, if there are any."""
    namespace = policy["metadata"]["namespace"]
    for key in [*base.keys()]:
        if (key.kind, key.namespace) == (_KIND, namespace):
            base.remove(key)
    for fact in base.facts_for("kind_absent", (_KIND,)):
        key = fact.source.key
        base.replace(key, [other for other in base.facts_of(key) if other != fact])
    _assert(base, policy)


def _lines(preset: presets.Preset, peering: str, namespace: str, about: str, found: "Matrix") -> list[str]:
    from liqo_connectivity.operator.explain.text.matrix import LEGEND, group_lines

    head = presets.comment(f"Who then reaches whom {about}. {LEGEND}")
    table = [f"# {line}".rstrip() for line in group_lines(found, peering)]
    return [*presets.policy_lines(preset, peering, namespace), "#", *head, "#", *table]


def _document(policy: presets.Object, found: "Matrix") -> dict[str, object]:
    from liqo_connectivity.operator.explain.document.matrix import cells_document

    return {
        "policy": policy,
        "groups": list(found.sources),
        "empty": list(found.empty),
        "matrix": cells_document(found),
    }
