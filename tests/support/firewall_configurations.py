"""A FirewallConfiguration with all that Liqo's pull requests add."""

from copy import deepcopy

from tests.support.api_client import Object

GROUP = "/apis/networking.liqo.io/v1beta1"
CONFIGURATION: Object = {
    "apiVersion": "networking.liqo.io/v1beta1",
    "kind": "FirewallConfiguration",
    "metadata": {"name": "milan-connectivity", "labels": {"networking.liqo.io/firewall-category": "fabric"}},
    "spec": {
        "table": {
            "name": "connectivity-milan",
            "family": "IPV4",
            "sets": [{"name": "vcremote", "keyType": "ipv4_addr", "elements": [{"key": "10.71.2.7"}]}],
            "chains": [
                {
                    "name": "filter",
                    "hook": "postrouting",
                    "type": "filter",
                    "policy": "accept",
                    "priority": 90,
                    "rules": {
                        "filterRules": [
                            {
                                "name": "established",
                                "counter": False,
                                "action": "accept",
                                "match": [{"op": "eq", "ctstate": {"value": ["established", "related"]}}],
                            },
                            {
                                "name": "r0",
                                "counter": False,
                                "action": "drop",
                                "match": [{"op": "eq", "ip": {"value": "@vcremote", "position": "src"}}],
                            },
                        ]
                    },
                }
            ],
        }
    },
}


def configuration(namespace: str) -> Object:
    """One with a set and a match on ctstate, which Liqo's webhook admits; it is the caller's to change."""
    made = deepcopy(CONFIGURATION)
    made["metadata"]["namespace"] = namespace
    made["metadata"]["labels"]["networking.liqo.io/firewall-subcategory"] = namespace
    return made


def rules(stored: Object) -> list[Object]:
    found: list[Object] = stored["spec"]["table"]["chains"][0]["rules"]["filterRules"]
    return found
