"""Policies with ports, selectors, CIDRs, names and a default, and whether the installed schema has to take each.

Holds no test. The texts that a refusal must contain are those of the API server.
"""

from typing import Any

from tests.support.policy_documents import LABEL, Document, Object, rule, rules

EMPTY = "a selector needs a label"
VALUES = "In and NotIn need values, Exists and DoesNotExist take none"
NARROWED = "only a group of pods can be narrowed"
ALONE = "nothing else goes with it"
CANONICAL = "must be a CIDR in canonical form"
INSIDE = "each except must be inside cidr, of its family, and smaller"
WEB: Object = {"matchLabels": {"app": "web"}}


def source(**party: Any) -> Object:
    """A spec of one rule with this source."""
    return rules(rule(source=party))


def asking(key: str = "app", operator: str = "In", *values: str) -> Object:
    """A spec that selects by one requirement."""
    requirement: Object = {"key": key, "operator": operator} | ({"values": [*values]} if values else {})
    return source(group="offloaded", podSelector={"matchExpressions": [requirement]})


def block(cidr: str, *excluded: str) -> Object:
    """A spec about a CIDR."""
    return source(cidr={"cidr": cidr} | ({"except": [*excluded]} if excluded else {}))


def ports(*entries: Any) -> Object:
    """A spec of one rule with these ports."""
    return rules(rule(ports=[*entries]))


def port(number: Any = 443, protocol: str = "TCP", **more: Any) -> Object:
    return {"protocol": protocol, "port": number, **more}


_TAKEN = (
    Document("a default", {"defaultAction": "deny"}),
    Document("a default and rules", {"defaultAction": "allow", **rules(rule())}),
    Document("a name", rules(rule(name="web"), rule(name="n" * 63))),
    Document("ports", ports(port(), port(1, "UDP", endPort=65535), port(5000, "SCTP", endPort=5000))),
    Document("protocols without ports", ports(*({"protocol": each} for each in ("TCP", "UDP", "SCTP", "ICMP")))),
    Document("as many ports as there may be", ports(*[port(n) for n in range(1, 101)])),
    Document("a group of pods in a namespace", source(group="vc-local", namespace="shop")),
    Document("a group of an administrator's own in a namespace", source(group="other-pods", namespace="shop")),
    Document("pods of a group", source(group="vc-remote", podSelector=WEB)),
    Document("pods of a namespace", source(namespace="shop", podSelector=WEB)),
    Document("namespaces by their labels", source(namespaceSelector=WEB)),
    Document("pods of namespaces by their labels", source(namespaceSelector=WEB, podSelector=WEB)),
    Document("pods of a group in namespaces", source(group="offloaded", namespaceSelector=WEB, podSelector=WEB)),
    Document("the longest key and value", asking(f"{'d' * 253}/{'n' * 63}", "In", "v" * 63)),
    Document(
        "every operator",
        rules(
            *(
                rule(**asking("a.b/c", each, *values)["rules"][0])
                for each, values in (("In", ("", "a_b.c-d")), ("NotIn", ("x",)), ("Exists", ()), ("DoesNotExist", ()))
            )
        ),
    ),
    Document("a CIDR", block("192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/32")),
    Document("a CIDR of IPv6", block("2001:db8::/32", "2001:db8:1::/48")),
    Document("one address", block("192.0.2.7/32")),
    Document(
        "the Internet and the DNS", rules(rule(source={"group": "internet"}, destination={"group": "nameserver"}))
    ),
    Document(
        "as many rules as there may be, with everything",
        {
            "defaultAction": "deny",
            "rules": [
                rule(
                    name=f"rule-{number}",
                    source={
                        "group": "offloaded",
                        "podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
                    },
                    destination={"cidr": {"cidr": "10.0.0.0/8", "except": [f"10.{n}.0.0/16" for n in range(4)]}},
                    ports=[port(n) for n in range(1, 6)],
                )
                for number in range(998)
            ],
        },
    ),
)
_REFUSED = (
    Document("a default that is none", {"defaultAction": "drop"}, 'Unsupported value: "drop"'),
    Document("a name that is none", rules(rule(name="Web")), LABEL),
    Document("an empty name", rules(rule(name="")), "at least 1 chars long"),
    Document("no ports at all", ports(), "should have at least 1 items"),
    Document("too many ports", ports(*[port(n) for n in range(1, 102)]), "must have at most 100 items"),
    Document("a port without a protocol", ports({"port": 443}), "protocol: Required value"),
    Document("a protocol in small letters", ports(port(443, "tcp")), 'Unsupported value: "tcp"'),
    Document("a protocol that is none", ports(port(443, "HTTP")), 'Unsupported value: "HTTP"'),
    Document("the name of a port", ports(port("https")), "must be of type integer"),
    Document("port 0", ports(port(0)), "should be greater than or equal to 1"),
    Document("port 65536", ports(port(65536)), "should be less than or equal to 65535"),
    Document("a port of ICMP", ports(port(8, "ICMP")), "ICMP has no ports", by_rule=True),
    Document("a range of ICMP", ports({"protocol": "ICMP", "endPort": 8}), "ICMP has no ports", by_rule=True),
    Document("a range without a port", ports({"protocol": "TCP", "endPort": 8}), "endPort needs port", by_rule=True),
    Document("a range that is turned", ports(port(80, endPort=79)), "must not be less than port", by_rule=True),
    Document("a podSelector alone", source(podSelector=WEB), "a podSelector needs a namespace", by_rule=True),
    Document("a group of CIDRs in a namespace", source(group="remote-cluster", namespace="a"), NARROWED, by_rule=True),
    Document("pods of the Internet", source(group="internet", podSelector=WEB), NARROWED, by_rule=True),
    Document("a DNS in namespaces", source(group="nameserver", namespaceSelector=WEB), NARROWED, by_rule=True),
    Document("a namespace and others", source(namespace="a", namespaceSelector=WEB), "not both", by_rule=True),
    Document("a CIDR and a group", source(group="offloaded", cidr={"cidr": "10.0.0.0/8"}), ALONE, by_rule=True),
    Document("a CIDR and a selector", source(podSelector=WEB, cidr={"cidr": "10.0.0.0/8"}), ALONE, by_rule=True),
    Document("a CIDR and a namespace", source(namespace="a", cidr={"cidr": "10.0.0.0/8"}), ALONE, by_rule=True),
    Document("an empty podSelector", source(group="offloaded", podSelector={}), EMPTY, by_rule=True),
    Document("an empty namespaceSelector", source(namespaceSelector={"matchLabels": {}}), EMPTY, by_rule=True),
    Document("no requirement", source(namespaceSelector={"matchExpressions": []}), EMPTY, by_rule=True),
    Document("In without values", asking(), VALUES, by_rule=True),
    Document("NotIn without values", asking("app", "NotIn"), VALUES, by_rule=True),
    Document("Exists with a value", asking("app", "Exists", "a"), VALUES, by_rule=True),
    Document("DoesNotExist with a value", asking("app", "DoesNotExist", "a"), VALUES, by_rule=True),
    Document("an operator of nodes", asking("app", "Gt", "5"), 'Unsupported value: "Gt"'),
    Document("a key that is none", asking("a b", "Exists"), LABEL),
    Document("a value that is none", asking("app", "In", "a b"), LABEL),
    Document("a label with a value that is none", source(namespaceSelector={"matchLabels": {"a": "b c"}}), LABEL),
    Document("too many values", asking("app", "In", *map(str, range(33))), "must have at most 32 items"),
    Document(
        "too many labels",
        source(namespaceSelector={"matchLabels": {f"a{n}": "" for n in range(17)}}),
        "must have at most 16 items",
    ),
    Document("a CIDR with host bits", block("192.0.2.1/24"), CANONICAL, by_rule=True),
    Document("an address as a CIDR", block("192.0.2.1"), CANONICAL, by_rule=True),
    Document("a CIDR in capitals", block("2001:DB8::/32"), CANONICAL, by_rule=True),
    Document("a CIDR written out", block("2001:db8:0::/32"), CANONICAL, by_rule=True),
    Document("a CIDR with zeros before", block("010.0.0.0/8"), CANONICAL, by_rule=True),
    Document("a name as a CIDR", block("example.com"), CANONICAL, by_rule=True),
    Document("a mapped CIDR", block("::ffff:192.0.2.0/120"), CANONICAL, by_rule=True),
    Document("except with host bits", block("192.0.2.0/24", "192.0.2.9/31"), CANONICAL, by_rule=True),
    Document("except outside", block("192.0.2.0/24", "198.51.100.0/25"), INSIDE, by_rule=True),
    Document("except around", block("192.0.2.0/24", "192.0.0.0/16"), INSIDE, by_rule=True),
    Document("except of all", block("192.0.2.0/24", "192.0.2.0/24"), INSIDE, by_rule=True),
    Document("except of the other family", block("192.0.2.0/24", "2001:db8::/48"), INSIDE, by_rule=True),
    Document("too many exceptions", block("10.0.0.0/8", *(f"10.{n}.0.0/16" for n in range(17))), "at most 16 items"),
    Document("except without a CIDR", source(cidr={"except": ["192.0.2.0/24"]}), "cidr.cidr: Required value"),
    Document("a CIDR that is a text", source(cidr="192.0.2.0/24"), "must be of type object"),
    Document("only an unknown field", source(labels={"app": "web"}), 'unknown field "spec.rules'),
)
FIELD_DOCUMENTS = (*_TAKEN, *_REFUSED)
"""Every document; the names are unique, also beside those of ``DOCUMENTS``."""
