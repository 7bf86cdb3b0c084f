"""The options that commands share, so that input and output are named the same way everywhere."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from liqo_connectivity.operator.sources.input import AGENT, LIQO, NFTABLES, Input, ObjectSource

_R = TypeVar("_R")

ENGINES: Final = ("incremental", "pydatalog")


def object_options(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the options that name its objects, as one parameter ``objects: ObjectSource``."""

    @wraps(function)
    def command(**parameters: Any) -> _R:
        # --operator is not an option of every command.
        objects = ObjectSource(**{name: parameters.pop(name) for name in ObjectSource._fields if name in parameters})
        return function(objects=objects, **parameters)

    return _with(command, _OBJECT_OPTIONS)


def input_options(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the options that all answers share, as one parameter ``given: Input``.

    The command raises click.UsageError for rule files together with ``--operator``.
    """

    @wraps(function)
    def command(**parameters: Any) -> _R:
        if parameters.pop("all_namespaces"):
            parameters["namespace"] = ""
        given = Input(**{name: parameters.pop(name) for name in Input._fields})
        if given.objects.operator and given.rules:
            raise click.UsageError("--operator answers by the controller's rules: leave out --rules")
        return function(given=given, **parameters)

    return object_options(_with(command, _ANSWER_OPTIONS))


def limit_options(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command without ``input_options`` the options ``seconds`` and ``megabytes``."""
    return _with(function, _LIMIT_OPTIONS)


def _with(command: Callable[..., _R], options: Iterable[Callable[..., Any]]) -> Callable[..., _R]:
    for option in reversed(tuple(options)):
        command = option(command)
    return command


rules_option = click.option(
    "--rules", multiple=True, metavar="FILE", help="Datalog rules to add to the built-in rules. Repeatable."
)
"""``--rules``, for commands without ``input_options``."""
_OBJECT_OPTIONS = (
    click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        metavar="FILE|DIR|-",
        help="Manifests (YAML or JSON), a facts dump, a folder of these, or - for stdin. Repeatable. "
        "Without it, the live cluster is read.",
    ),
    click.option(
        "--assume-complete",
        is_flag=True,
        help="The cluster has no object of a kind that the files hold none of. Without it, what hangs on one is unknown.",
    ),
    click.option("--kubeconfig", default="", metavar="FILE", help="Kubeconfig of the live cluster."),
    click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig."),
)
_LIMIT_OPTIONS = (
    click.option(
        "--limit-seconds",
        "seconds",
        type=click.FloatRange(min=0.001),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Time limit for what rules derive.",
    ),
    click.option(
        "--limit-megabytes",
        "megabytes",
        type=click.IntRange(min=64),
        default=4096,
        show_default=True,
        metavar="MEGABYTES",
        help="Limit for the memory that this takes.",
    ),
)
_ANSWER_OPTIONS = (
    click.option(
        "--enforcer",
        type=click.Choice((LIQO, NFTABLES, AGENT)),
        default=LIQO,
        show_default=True,
        help="What the chains are for: Liqo's agents; nft itself, which matches more: IPv6, SCTP and ICMP; or an agent on "
        "each node, which also judges established connections and what nodes receive.",
    ),
    click.option(
        "-n",
        "--namespace",
        default="",
        metavar="NAME",
        help="Report only policies of this namespace; also the namespace of pods named without one. All objects are "
        "read, whatever the namespace.",
    ),
    click.option("-A", "--all-namespaces", is_flag=True, help="Report policies of all namespaces (the default)."),
    rules_option,
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="incremental",
        show_default=True,
        help="Evaluator that derives the answer.",
    ),
    click.option("--verify", is_flag=True, help="Derive the answer with pyDatalog as well; fail if the two differ."),
    *_LIMIT_OPTIONS,
)


operator_option = click.option(
    "--operator",
    is_flag=True,
    help="Answer from the facts and rules of the running controller, at http://127.0.0.1:8082 (kubectl port-forward) or "
    "$LIQO_CONNECTIVITY_OPERATOR. It does not watch Services: they are read from -f or the live cluster.",
)
"""``--operator``, for use with ``object_options`` or ``input_options``."""


def output_option(*formats: str) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """Give a command the option ``-o``; the first format is the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="Output format."
    )


state_option = click.option(
    "--state",
    type=click.Choice(["new", "established"]),
    default="new",
    show_default=True,
    help="State of the connection that the packet belongs to.",
)
"""``--state``, for commands that ask about a flow."""
