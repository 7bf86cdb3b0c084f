"""What the controller asserts beside what objects say: that it enforces, and which FirewallConfigurations it wrote.

Rules judge these like any other fact, so that what becomes of a written object is no decision of the controller's. This
module must not know how objects are written.
"""

from typing import Final

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Source, symbol
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.rules import relations

CONTROLLER: Final = "Controller"
"""The kind of the source of what the controller says of itself."""
FIREWALL_CONFIGURATION: Final = "FirewallConfiguration"
FIREWALL_SUFFIX: Final = "-connectivity"
"""What the name of a FirewallConfiguration has after the cluster id of its peering."""


def enforcing(name: str) -> tuple[Fact, ...]:
    """The fact that a controller of some name writes FirewallConfigurations."""
    source = Source(CONTROLLER, "", name, "", "")
    return (Fact(relations.Enforcing(FIREWALL_CRD), source, "", FIREWALL_CRD),)


def firewall_configuration(key: ObjectKey, uid: str, resource_version: str, owner: str) -> tuple[Fact, ...]:
    """The fact of a FirewallConfiguration that was written for the policy ``owner`` of its namespace.

    The cluster is empty when the name is not one that the controller gives.
    """
    source = Source(key.kind, key.namespace, key.name, uid, resource_version)
    cluster = key.name.removesuffix(FIREWALL_SUFFIX) if key.name.endswith(FIREWALL_SUFFIX) else ""
    firewall, policy = symbol(key.namespace, key.name), symbol(key.namespace, owner)
    row = relations.FirewallConfiguration(firewall, key.namespace, cluster, policy)
    return (Fact(row, source, "/metadata/name", key.name),)
