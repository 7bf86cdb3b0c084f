"""The facts of a policy: its rules in order, all as written, and the text by which a label selector is known.

The text of a selector is its requirements, sorted and joined by commas, so selectors that say the same are one.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from liqo_connectivity.facts.base.fact import Fact, Source, pointer, segments, symbol
from liqo_connectivity.facts.objects import policy_objects
from liqo_connectivity.facts.objects.fields import TENANT_PREFIX, is_cluster_id, seconds_since_epoch
from liqo_connectivity.rules import relations

_IN: Final = "In"
_NOT_IN: Final = "NotIn"
_BARE: Final = {"Exists": "", "DoesNotExist": "!"}
"""What is written before the key by the operators that take no values."""


def extract_policy(policy: policy_objects.PeeringConnectivity) -> tuple[Fact, ...]:
    """The facts of a PeeringConnectivity: existence, age, deletion, its default, and its rules in order, all as written."""
    metadata = policy.metadata
    namespace = metadata.namespace
    source = Source("PeeringConnectivity", namespace, metadata.name, metadata.uid, metadata.resource_version)
    key = symbol(namespace, metadata.name)
    facts = [Fact(relations.Policy(key, namespace), source, "/metadata/name", metadata.name)]
    cluster = namespace.removeprefix(TENANT_PREFIX)
    if namespace.startswith(TENANT_PREFIX) and is_cluster_id(cluster):
        facts.append(Fact(relations.PolicyTenantName(key, cluster), source, "/metadata/namespace", namespace))
    if metadata.creation_timestamp is not None:
        row = relations.PolicyCreated(key, seconds_since_epoch(metadata.creation_timestamp))
        facts.append(Fact(row, source, "/metadata/creationTimestamp", metadata.creation_timestamp))
    deleted = metadata.deletion_timestamp
    if deleted is not None:
        facts.append(Fact(relations.PolicyTerminating(key), source, "/metadata/deletionTimestamp", deleted))
    spec = policy.spec
    if spec.default_action is not None:
        row_default = relations.PolicyDefault(key, spec.default_action)
        facts.append(Fact(row_default, source, "/spec/defaultAction", spec.default_action))
    for index, rule in enumerate(spec.rules or ()):
        facts += _rule(key, index, rule, source)
    return tuple(facts)


def unknown_policy_field(source: Source, field: str) -> Fact:
    """The fact that a policy has a field, a JSON pointer, which no policy has."""
    row = relations.PolicyUnknownField(symbol(source.namespace, source.name), field)
    return Fact(row, source, field, True)


def _rule(key: str, index: int, rule: policy_objects.PolicyRule, source: Source) -> Iterator[Fact]:
    path = f"/spec/rules/{index}"
    yield Fact(relations.PolicyRule(key, index), source, path, True)
    if rule.name is not None:
        yield Fact(relations.PolicyRuleName(key, index, rule.name), source, f"{path}/name", rule.name)
    if rule.action is not None:
        yield Fact(relations.PolicyAction(key, index, rule.action), source, f"{path}/action", rule.action)
    for side, party in (("source", rule.source), ("destination", rule.destination)):
        if party is not None:
            yield from _party(key, index, side, party, source)
    if rule.ports is not None:
        yield Fact(relations.PolicyRulePorts(key, index), source, f"{path}/ports", True)
    for number, port in enumerate(rule.ports or ()):
        yield from _port(key, index, number, port, source)


def _port(key: str, index: int, number: int, port: policy_objects.RulePort, source: Source) -> Iterator[Fact]:
    path = f"/spec/rules/{index}/ports/{number}"
    yield Fact(relations.PolicyPort(key, index, number), source, path, True)
    if port.protocol is not None:
        row = relations.PolicyPortProtocol(key, index, number, port.protocol)
        yield Fact(row, source, f"{path}/protocol", port.protocol)
    if port.port is not None:
        yield Fact(relations.PolicyPortNumber(key, index, number, port.port), source, f"{path}/port", port.port)
    if port.end_port is not None:
        row_end = relations.PolicyPortEnd(key, index, number, port.end_port)
        yield Fact(row_end, source, f"{path}/endPort", port.end_port)


def _party(key: str, index: int, side: str, party: policy_objects.Party, source: Source) -> Iterator[Fact]:
    path = f"/spec/rules/{index}/{side}"
    yield Fact(relations.PolicyParty(key, index, side), source, path, True)
    if party.group is not None:
        row = relations.PolicyPartyGroup(key, index, side, party.group)
        yield Fact(row, source, f"{path}/group", party.group)
    if party.namespace is not None:
        row_namespace = relations.PolicyPartyNamespace(key, index, side, party.namespace)
        yield Fact(row_namespace, source, f"{path}/namespace", party.namespace)
    if party.namespace_selector is not None:
        where = f"{path}/namespaceSelector"
        text, facts = _selector(key, party.namespace_selector, source, where)
        yield Fact(relations.PolicyPartyNamespaceSelector(key, index, side, text), source, where, True)
        yield from facts
    if party.pod_selector is not None:
        where = f"{path}/podSelector"
        text, facts = _selector(key, party.pod_selector, source, where)
        yield Fact(relations.PolicyPartyPodSelector(key, index, side, text), source, where, True)
        yield from facts
    block = party.cidr
    if block is not None:
        row_cidr = relations.PolicyPartyCidr(key, index, side, block.cidr)
        yield Fact(row_cidr, source, f"{path}/cidr/cidr", block.cidr)
        for number, excluded in enumerate(block.excluded or ()):
            row_except = relations.PolicyPartyExcept(key, index, side, excluded)
            yield Fact(row_except, source, f"{path}/cidr/except/{number}", excluded)


class _Requirement(NamedTuple):
    """A requirement: its text, its fields, and its values, each with the pointer of its field."""

    text: str
    key: str
    operator: str
    field: str
    value: str | bool
    values: tuple[tuple[str, str], ...]


def _selector(key: str, selector: policy_objects.LabelSelector, source: Source, path: str) -> tuple[str, list[Fact]]:
    """The text of a selector, and the facts of its requirements."""
    requirements = [*_requirements(selector, path)]
    text = ",".join(sorted({requirement.text for requirement in requirements}))
    facts: list[Fact] = []
    for each in requirements:
        row = relations.PolicyRequirement(key, text, each.text, each.key, each.operator)
        facts.append(Fact(row, source, each.field, each.value))
        for value, field in each.values:
            facts.append(Fact(relations.PolicyRequirementValue(key, each.text, value), source, field, value))
    return text, facts


def _requirements(selector: policy_objects.LabelSelector, path: str) -> Iterator[_Requirement]:
    for label, value in (selector.match_labels or {}).items():
        field = pointer(*segments(path), "matchLabels", label)
        yield _Requirement(_text(label, _IN, (value,)), label, _IN, field, value, ((value, field),))
    for number, expression in enumerate(selector.match_expressions or ()):
        field = f"{path}/matchExpressions/{number}"
        label, operator, values = expression.key, expression.operator, expression.values or ()
        places = tuple((value, f"{field}/values/{at}") for at, value in enumerate(values))
        yield _Requirement(_text(label, operator, values), label, operator, field, True, places)


def _text(label: str, operator: str, values: tuple[str, ...]) -> str:
    """The text of a requirement. What no selector means has a text too, unlike any other."""
    listed = sorted(set(values))
    if operator == _IN and len(listed) == 1:
        return f"{label}={listed[0]}"
    if operator in _BARE and not listed:
        return _BARE[operator] + label
    word = {_IN: "in", _NOT_IN: "notin"}.get(operator, operator)
    return f"{label} {word} ({','.join(listed)})"
