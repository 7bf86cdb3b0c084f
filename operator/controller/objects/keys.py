"""Keys of objects, and the symbols by which rules name them."""

from liqo_connectivity.facts import FIREWALL_SUFFIX, ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY


def object_key(kind: str, symbol: object) -> ObjectKey:
    """The key of an object from its symbol, ``namespace/name``."""
    namespace, _, name = str(symbol).partition("/")
    return ObjectKey(kind, namespace, name)


def policy_key(policy: object) -> ObjectKey:
    """The key of a policy from its symbol."""
    return object_key(POLICY, policy)


def policy_symbol(key: ObjectKey) -> str:
    """The symbol of a policy, the inverse of ``policy_key``."""
    return f"{key.namespace}/{key.name}"


def firewall_key(namespace: object, peering: object) -> ObjectKey:
    """The key of the FirewallConfiguration of a peering."""
    return ObjectKey(FIREWALL, str(namespace), f"{peering}{FIREWALL_SUFFIX}")
