"""PeeringConnectivities as people and attackers write them, and whether the installed schema has to take each.

Holds no test. The texts that a refusal must contain are those of the API server and of our own messages.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

NOTHING = "a party names a group, a namespace, a namespaceSelector or a cidr"
LABEL = "should match"


@dataclass(frozen=True, slots=True)
class Document:
    """A spec (none if ``spec`` is None), and the part of the message by which it is refused; none if it is stored.

    ``by_rule`` says that the types would let it pass: only the API server evaluates rules.
    """

    name: str
    spec: Any
    refused: str | None = None
    by_rule: bool = False

    def policy(self, namespace: str, name: str = "policy") -> Object:
        """The object to send."""
        found: Object = {
            "apiVersion": "security.liqo.io/v1",
            "kind": "PeeringConnectivity",
            "metadata": {"name": name, "namespace": namespace},
        }
        return found if self.spec is None else {**found, "spec": self.spec}


def rule(**parties: Any) -> Object:
    """An allow rule with these parties."""
    return {"action": "allow", **parties}


def rules(*given: Any) -> Object:
    """A spec of these rules."""
    return {"rules": list(given)}


DOCUMENTS = (
    Document("no rules", {}),
    Document("an empty list of rules", rules()),
    Document("a rule without parties", rules({"action": "deny"})),
    Document("two groups", rules(rule(source={"group": "remote-cluster"}, destination={"group": "offloaded"}))),
    Document("a namespace party", rules(rule(destination={"namespace": "kube-system"}))),
    Document("a group of an administrator's own", rules(rule(source={"group": "other-peerings"}))),
    Document("the longest namespace", rules(rule(source={"namespace": "n" * 63}))),
    Document("as many rules as there may be", rules(*[rule(source={"group": "offloaded"})] * 998)),
    Document("no spec", None, "spec: Required value"),
    Document("no action", rules({"source": {"group": "offloaded"}}), "action: Required value"),
    Document("an action that is none", rules({"action": "reject"}), 'Unsupported value: "reject"'),
    Document("an action in capitals", rules({"action": "Allow"}), 'Unsupported value: "Allow"'),
    Document("an empty party", rules(rule(source={})), NOTHING, by_rule=True),
    Document("group and namespace", rules(rule(source={"group": "offloaded", "namespace": "shop"}))),
    Document("an empty group", rules(rule(source={"group": ""})), "at least 1 chars long"),
    Document("a namespace with a line break", rules(rule(source={"namespace": "shop\nx"})), LABEL),
    Document("a namespace that ends in a line break", rules(rule(source={"namespace": "shop\n"})), LABEL),
    Document("a namespace with a quote", rules(rule(destination={"namespace": 'a"b'})), LABEL),
    Document("a group that closes a block", rules(rule(source={"group": "10.0.0.1 } drop"})), LABEL),
    Document("an IPv6 address as a group", rules(rule(source={"group": "2001:db8::1"})), LABEL),
    Document("a CIDR as a namespace", rules(rule(destination={"namespace": "10.0.0.0/8"})), LABEL),
    Document("a set as a group", rules(rule(source={"group": "@missing"})), LABEL),
    Document("a group that includes a file", rules(rule(source={"group": 'include "/etc/passwd"'})), LABEL),
    Document("a namespace of 300 characters", rules(rule(source={"namespace": "n" * 300})), "Too long"),
    Document("a group of 400 characters", rules(rule(source={"group": "g" * 400})), "Too long"),
    Document("a port", rules(rule(destination={"group": "offloaded", "port": 99999})), 'unknown field "spec.rules'),
    Document("a field of another operator's", rules({**rule(), "priority": 1}), 'unknown field "spec.rules'),
    Document("one rule too many", rules(*[rule()] * 999), "must have at most 998 items"),
    Document("10,000 rules", rules(*[rule(source={"group": "offloaded"})] * 10_000), "must have at most 998 items"),
    Document("30,000 rules", rules(*[rule()] * 30_000), "must have at most 998 items"),
    Document("an object of rules", {"rules": {"first": rule()}}, 'unknown field "spec.rules.first"'),
    Document("a rule that is a text", rules("allow"), "must be of type object"),
    Document("a group that is a number", rules(rule(source={"group": 7})), "must be of type string"),
    Document("a null rule", rules(None), "must be of type object"),
)
"""Every document; the names are unique."""
