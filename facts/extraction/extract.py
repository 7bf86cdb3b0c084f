"""The facts of an object of any kind: the table of the extractors, one for each kind."""

from collections.abc import Callable, Mapping
from typing import Any

from liqo_connectivity.facts.base.fact import Fact
from liqo_connectivity.facts.extraction import core_facts, liqo_facts, policy_facts, service_facts
from liqo_connectivity.facts.extraction.label_facts import Labels, packed_labels
from liqo_connectivity.facts.objects import core_objects, liqo_objects, policy_objects, service_objects

KubernetesObject = (
    core_objects.Pod
    | core_objects.Node
    | core_objects.CustomResourceDefinition
    | liqo_objects.Namespace
    | liqo_objects.Network
    | liqo_objects.Configuration
    | liqo_objects.NamespaceOffloading
    | liqo_objects.NamespaceMap
    | liqo_objects.VirtualNode
    | liqo_objects.ForeignCluster
    | policy_objects.PeeringConnectivity
    | service_objects.Service
    | service_objects.EndpointSlice
)
"""Any object that asserts facts."""

# The table pairs each class with the function of that class, which a type cannot say.
_EXTRACTORS: Mapping[type[KubernetesObject], Callable[[Any], tuple[Fact, ...]]] = {
    core_objects.Pod: core_facts.extract_pod,
    core_objects.Node: core_facts.extract_node,
    core_objects.CustomResourceDefinition: core_facts.extract_crd,
    liqo_objects.Namespace: core_facts.extract_namespace,
    liqo_objects.Network: liqo_facts.extract_network,
    liqo_objects.Configuration: liqo_facts.extract_configuration,
    liqo_objects.NamespaceOffloading: liqo_facts.extract_namespace_offloading,
    liqo_objects.NamespaceMap: liqo_facts.extract_namespace_map,
    liqo_objects.VirtualNode: liqo_facts.extract_virtual_node,
    liqo_objects.ForeignCluster: liqo_facts.extract_foreign_cluster,
    policy_objects.PeeringConnectivity: policy_facts.extract_policy,
    service_objects.Service: service_facts.extract_service,
    service_objects.EndpointSlice: service_facts.extract_endpoint_slice,
}


def labels_of(decoded: KubernetesObject) -> Labels:
    """The labels of a Pod or a Namespace; those of other objects are not kept."""
    match decoded:
        case core_objects.Pod():
            return packed_labels(decoded.metadata.labels)
        case liqo_objects.Namespace():
            return packed_labels(decoded.metadata.every_label)
        case _:
            return ()


def extract(decoded: KubernetesObject) -> tuple[Fact, ...]:
    """The facts of an object of any kind but for its labels, in a fixed order, all with the same source."""
    return _EXTRACTORS[type(decoded)](decoded)
