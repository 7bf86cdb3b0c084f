"""The kinds of objects that are read: API group, name, scope and decoder of each."""

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from liqo_connectivity.facts.extraction.extract import KubernetesObject
from liqo_connectivity.facts.objects import core_objects, liqo_objects, policy_objects, service_objects
from liqo_connectivity.facts.objects.models import validator


class Kind(NamedTuple):
    """A kind of Kubernetes object that asserts facts.

    ``group`` is empty for core kinds; ``version`` and ``plural`` are those that Kubernetes or Liqo v1.2 serves, for
    requests to an API server, and ``older`` the versions that objects of earlier releases of Liqo have. ``from_json`` and
    ``from_mapping`` decode one object and raise ``pydantic_core.ValidationError``. The controller watches all objects of it
    if it is ``watched``: what decides a chain is, and what only an answer needs is not. Of the EndpointSlices it watches
    those of the cluster's DNS.
    """

    group: str
    name: str
    version: str
    older: tuple[str, ...]
    plural: str
    namespaced: bool
    from_json: Callable[[bytes], KubernetesObject]
    from_mapping: Callable[[object], KubernetesObject]
    watched: bool = True

    @property
    def api_version(self) -> str:
        """``group/version`` as an object writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def listing(self) -> str:
        """The command that lists all objects of the kind, whole."""
        resource = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"kubectl get {resource} {'-A ' if self.namespaced else ''}-o yaml"


def _kind(
    decoded: type[KubernetesObject],
    group: str,
    version: str,
    plural: str,
    namespaced: bool = True,
    older: tuple[str, ...] = (),
    *,
    watched: bool = True,
) -> Kind:
    # A command seldom reads every kind, so each has its validator made when its first object comes.
    made = cache(lambda: validator(decoded))

    def from_json(data: bytes) -> KubernetesObject:
        found: KubernetesObject = made().validate_json(data)
        return found

    def from_mapping(value: object) -> KubernetesObject:
        found: KubernetesObject = made().validate_python(value)
        return found

    return Kind(group, decoded.__name__, version, older, plural, namespaced, from_json, from_mapping, watched)


_ALPHA: Final = ("v1alpha1",)

KINDS: Final[tuple[Kind, ...]] = (
    _kind(core_objects.Pod, "", "v1", "pods"),
    _kind(liqo_objects.Namespace, "", "v1", "namespaces", namespaced=False),
    _kind(core_objects.Node, "", "v1", "nodes", namespaced=False),
    _kind(
        core_objects.CustomResourceDefinition,
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        namespaced=False,
    ),
    _kind(liqo_objects.Network, "ipam.liqo.io", "v1alpha1", "networks"),
    _kind(liqo_objects.Configuration, "networking.liqo.io", "v1beta1", "configurations", older=_ALPHA),
    _kind(liqo_objects.NamespaceOffloading, "offloading.liqo.io", "v1beta1", "namespaceoffloadings", older=_ALPHA),
    _kind(liqo_objects.NamespaceMap, "offloading.liqo.io", "v1beta1", "namespacemaps", older=_ALPHA),
    _kind(liqo_objects.VirtualNode, "offloading.liqo.io", "v1beta1", "virtualnodes", older=_ALPHA),
    _kind(liqo_objects.ForeignCluster, "core.liqo.io", "v1beta1", "foreignclusters", False, _ALPHA),
    _kind(policy_objects.PeeringConnectivity, "security.liqo.io", "v1", "peeringconnectivities"),
    _kind(service_objects.Service, "", "v1", "services", watched=False),
    _kind(service_objects.EndpointSlice, "discovery.k8s.io", "v1", "endpointslices", watched=False),
)
"""Every kind that is read."""

KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}
"""Every kind by its name; no two groups that are read share one."""

_OURS: Final = KIND_BY_NAME["PeeringConnectivity"].group

_BY_GROUP: Final = {(kind.group, kind.name): kind for kind in KINDS}


def kind_of(api_version: str, name: str) -> Kind | None:
    """The kind of an object with this ``apiVersion`` and ``kind``, or None if it is not read."""
    group, separator, version = api_version.rpartition("/")
    kind = _BY_GROUP.get((group if separator else "", name))
    return kind if kind is not None and version in (kind.version, *kind.older) else None


def mistaken_kind(api_version: str, name: str) -> Kind | None:
    """The kind that an object must be meant as although its ``apiVersion`` is another; None if it may be what it says.

    Other projects have kinds of these names, such as the Network of ``config.openshift.io``. Kubernetes, Liqo and this
    project do not have them in another group or, as far as is known, version.
    """
    kind = KIND_BY_NAME.get(name)
    if kind is None or kind_of(api_version, name) is not None:
        return None
    group, separator, _ = api_version.partition("/")
    foreign = separator and "." in group and not group.endswith(("liqo.io", ".k8s.io"))
    return None if foreign and kind.group != _OURS else kind
