"""Which way each object goes that belongs to no policy any more."""

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import POLICY
from liqo_connectivity.operator.controller.writing.orphans import removals


def test_the_manner_of_each_removal() -> None:
    found = removals([("t/milan-connectivity", "drain"), ("u/by-hand", "delete")])
    assert found == {
        ObjectKey("FirewallConfiguration", "t", "milan-connectivity"): "drain",
        ObjectKey("FirewallConfiguration", "u", "by-hand"): "delete",
    }
    assert POLICY not in {key.kind for key in found}
