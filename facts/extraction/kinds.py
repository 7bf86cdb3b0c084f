"""The kinds of objects that are read: API group, name, scope and decoder of each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from liqo_connectivity.facts.extraction.extract import KubernetesObject
from liqo_connectivity.facts.objects import core_objects, liqo_objects
from liqo_connectivity.facts.objects.models import validator


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of Kubernetes object that asserts facts.

    ``group`` is empty for core kinds; ``version`` and ``plural`` are those that Kubernetes or Liqo v1.2 serves, for
    requests to an API server: objects of any version of the group are accepted. ``from_json`` and ``from_mapping``
    decode one object and raise ``pydantic_core.ValidationError``.
    """

    group: str
    name: str
    version: str
    plural: str
    namespaced: bool
    from_json: Callable[[bytes], KubernetesObject]
    from_mapping: Callable[[object], KubernetesObject]

    @property
    def api_version(self) -> str:
        """``group/version`` as an object writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _kind(decoded: type[KubernetesObject], group: str, version: str, plural: str, namespaced: bool = True) -> Kind:
    # A command seldom reads every kind, so each has its validator made when its first object comes.
    made = cache(lambda: validator(decoded))
    return Kind(
        group,
        decoded.__name__,
        version,
        plural,
        namespaced,
        lambda data: made().validate_json(data),
        lambda value: made().validate_python(value),
    )


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
    _kind(liqo_objects.Configuration, "networking.liqo.io", "v1beta1", "configurations"),
    _kind(liqo_objects.NamespaceOffloading, "offloading.liqo.io", "v1beta1", "namespaceoffloadings"),
    _kind(liqo_objects.NamespaceMap, "offloading.liqo.io", "v1beta1", "namespacemaps"),
    _kind(liqo_objects.VirtualNode, "offloading.liqo.io", "v1beta1", "virtualnodes"),
    _kind(liqo_objects.ForeignCluster, "core.liqo.io", "v1beta1", "foreignclusters", namespaced=False),
    _kind(liqo_objects.PeeringConnectivity, "security.liqo.io", "v1", "peeringconnectivities"),
)
"""Every kind that is read."""

KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}
"""Every kind by its name; no two groups that are read share one."""

_BY_GROUP: Final = {(kind.group, kind.name): kind for kind in KINDS}


def kind_of(api_version: str, name: str) -> Kind | None:
    """The kind of an object with this ``apiVersion`` and ``kind``, whatever its version, or None if it is not read."""
    group, separator, _ = api_version.partition("/")
    return _BY_GROUP.get((group if separator else "", name))
