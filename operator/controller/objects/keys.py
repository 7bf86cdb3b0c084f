"""Keys of objects, and the symbols by which rules name them."""

from liqo_connectivity.facts import FIREWALL_SUFFIX, STANDIN_SUFFIX, ObjectKey
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


def standin_key(firewall: ObjectKey) -> ObjectKey:
    """The key of the FirewallConfiguration that stands in for another one while that is replaced.

    >>> standin_key(firewall_key("t", "milan")).name
    'milan-connectivity-standin'
    """
    return ObjectKey(FIREWALL, firewall.namespace, firewall.name.removesuffix(FIREWALL_SUFFIX) + STANDIN_SUFFIX)


def stood_in_for(firewall: ObjectKey) -> ObjectKey | None:
    """The key of the FirewallConfiguration that one of this name stands in for; None if it is no stand-in.

    >>> stood_in_for(standin_key(firewall_key("t", "milan"))) == firewall_key("t", "milan")
    True
    """
    if not firewall.name.endswith(STANDIN_SUFFIX):
        return None
    return firewall_key(firewall.namespace, firewall.name.removesuffix(STANDIN_SUFFIX))
