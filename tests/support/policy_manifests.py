"""The rules of a described policy as Kubernetes objects write them. This module must not know what they mean."""

from typing import Any

from tests.support.descriptions import Party, Port, Requirement, Rule, Selector

Object = dict[str, Any]


def given(**fields: object) -> Object:
    """The fields that an object has."""
    return {name: value for name, value in fields.items() if value is not None}


def rule_object(rule: Rule) -> Object:
    ports = None if rule.ports is None else [_port(port) for port in rule.ports]
    written = given(name=rule.name, action=rule.action, ports=ports)
    for side, party in (("source", rule.source), ("destination", rule.destination)):
        if party is not None:
            written[side] = _party(party)
    return written


def _party(party: Party) -> Object:
    block = given(cidr=party.cidr) | ({"except": list(party.excepts)} if party.excepts else {})
    return given(
        group=party.group,
        namespace=party.namespace,
        namespaceSelector=_selector(party.namespaces),
        podSelector=_selector(party.pods),
        cidr=block or None,
    )


def _selector(selector: Selector | None) -> Object | None:
    if selector is None:
        return None
    expressions = [requirement_object(one) for one in selector.expressions]
    written: Object = {"matchLabels": dict(selector.equal)} if selector.equal else {}
    return written | ({"matchExpressions": expressions} if expressions else {})


def _port(port: Port) -> Object:
    return given(protocol=port.protocol, port=port.first, endPort=port.last)


def requirement_object(written: Requirement) -> Object:
    return {"key": written.key, "operator": written.operator, "values": list(written.values)}
