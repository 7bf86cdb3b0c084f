"""The facts that the controller asserts itself: that it enforces, and which FirewallConfigurations it wrote.

Rules derive from them what becomes of a written object, as from any other fact.
"""

from typing import Final

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Source, symbol
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.rules import relations

CONTROLLER: Final = "Controller"
"""The kind of the source of the controller's own facts."""
FIREWALL_CONFIGURATION: Final = "FirewallConfiguration"
FIREWALL_SUFFIX: Final = "-connectivity"
"""The suffix of a FirewallConfiguration's name, after the cluster id of its peering."""
OWNER_ANNOTATION: Final = "security.liqo.io/owner"
"""The annotation of a FirewallConfiguration that names the policy it is written for, in the same namespace."""
STANDIN_SUFFIX: Final = "-connectivity-standin"
"""The same for the one that stands in while the first is replaced."""


def enforcing(name: str) -> tuple[Fact, ...]:
    """The fact that a controller of some name writes FirewallConfigurations."""
    source = Source(CONTROLLER, "", name, "", "")
    return (Fact(relations.Enforcing(FIREWALL_CRD), source, "", FIREWALL_CRD),)


def firewall_configuration(key: ObjectKey, uid: str, resource_version: str, owner: str) -> tuple[Fact, ...]:
    """The fact of a FirewallConfiguration that was written for the policy ``owner`` of its namespace.

    The cluster is empty if the controller gives no such name.
    """
    source = Source(key.kind, key.namespace, key.name, uid, resource_version)
    suffix = next((each for each in (FIREWALL_SUFFIX, STANDIN_SUFFIX) if key.name.endswith(each)), "")
    cluster = key.name.removesuffix(suffix) if suffix else ""
    firewall, policy = symbol(key.namespace, key.name), symbol(key.namespace, owner)
    row = relations.FirewallConfiguration(firewall, key.namespace, cluster, policy)
    return (Fact(row, source, "/metadata/name", key.name),)
