"""The input of a command: where its objects come from, and how to derive the answer.

Plain data, so that declaring the options imports none of the readers.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from liqo_connectivity.facts import Edits, Reading


LIQO: Final = "liqo"
NFTABLES: Final = "nftables"
AGENT: Final = "agent"
"""What the chains are for: Liqo's agents, nft itself, or an agent on each node, which judges every packet of a connection."""


class ObjectSource(NamedTuple):
    """Where the cluster's objects come from.

    ``files`` are paths or ``-`` for stdin. Without any, they are listed from the live cluster of ``kubeconfig`` and
    ``context``. If ``operator`` is set, they are the facts of the running controller, and only Services are read from the
    files or the cluster. ``assume_complete`` says that the cluster has no object of a kind that the files lack.
    """

    files: tuple[str, ...]
    kubeconfig: str = ""
    context: str = ""
    operator: bool = False
    assume_complete: bool = False


class Input(NamedTuple):
    """The objects that an answer is about, and how to derive it.

    ``namespace`` is empty for all namespaces. ``rules`` are paths of rule files. ``seconds`` and ``megabytes`` limit
    the evaluation, by either evaluator. ``enforcer`` is liqo, nftables or agent.
    """

    objects: ObjectSource
    namespace: str
    rules: tuple[str, ...]
    engine: str
    verify: bool
    seconds: float
    megabytes: int
    enforcer: str = LIQO


FIREWALLS: Final = "networking.liqo.io/FirewallConfiguration"
"""What the controller writes, which no rule reads: group and name of its kind, as Collector keeps objects."""


def read_objects(source: ObjectSource, keep: tuple[str, ...] = (), edits: "Edits | None" = None) -> "Reading":
    """Read the objects of a source, and keep those of some kinds that no rule reads as they are; so far FIREWALLS.

    ``edits`` are the facts of policies that are in place of others in ``Reading.edited``.

    Raises click.UsageError for a path that does not exist, or a cluster or controller that cannot be reached.
    """
    # Readers are imported when needed: the Kubernetes client is slow to import.
    if source.operator:
        from liqo_connectivity.operator.sources.remote import read_facts

        return read_facts(source, edits)
    if source.files:
        from liqo_connectivity.operator.sources.files import read_files

        return read_files(source.files, source.assume_complete, keep, edits)
    from liqo_connectivity.operator.sources.live import read_cluster

    return read_cluster(source.kubeconfig, source.context, keep=keep, edits=edits)
