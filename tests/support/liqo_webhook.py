"""A model of what stands before a FirewallConfiguration is stored: Liqo's CRD schema and its validating webhook.

Written from liqotech/liqo v1.2.0 (the CRD, pkg/webhooks/firewallconfiguration) and its open pull requests 3155 (sets)
and 3144 (ctstate). Stricter than both in two places: unknown fields are refused, as the API server does under strict
field validation, and a match entry without a criterion is.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]

LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SET_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9/\\_.]*")
ACTIONS = {"ctmark", "metamarkfromctmark", "tcpmssclamp", "accept", "drop", "reject"}
HOOKS = {"filter": {"prerouting", "input", "forward", "output", "postrouting"}, "route": {"output"}}
STATES = {"new", "established", "related", "untracked", "invalid"}


class DeniedError(AssertionError):
    """The object is not admitted."""


def admit(configuration: Object, stored: Iterable[Object] = ()) -> None:
    """Raises DeniedError unless the object may be created or updated while ``stored`` is in the cluster."""
    _fields(configuration, {"apiVersion", "kind", "metadata", "spec"})
    _expect(configuration["apiVersion"], "apiVersion", {"networking.liqo.io/v1beta1"})
    _expect(configuration["kind"], "kind", {"FirewallConfiguration"})
    metadata = configuration["metadata"]
    _expect(len(metadata["name"]) <= 253 and bool(SUBDOMAIN.fullmatch(metadata["name"])), "object name", {True})
    for value in metadata["labels"].values():
        _expect(bool(LABEL.fullmatch(value)), f"label value {value!r}", {True})
    table = configuration["spec"]["table"]
    _fields(table, {"name", "family", "sets", "chains"})
    _expect(table["family"], "family", {"IPV4"})
    for other in stored:
        same_object = _key(other) == _key(configuration)
        if same_object and other["spec"]["table"]["name"] != table["name"]:
            raise DeniedError("the table name is immutable")
        if not same_object and (other["spec"]["table"]["name"], other["metadata"]["labels"]) == (
            table["name"],
            metadata["labels"],
        ):
            raise DeniedError(f"table name {table['name']} already used with the same labels by {_key(other)}")
    _unique("chain", [chain["name"] for chain in table["chains"]])
    _unique("set", [held["name"] for held in table["sets"]])
    for held in table["sets"]:
        _set(held)
    for chain in table["chains"]:
        _chain(chain, {held["name"] for held in table["sets"]})


def _set(held: Object) -> None:
    _fields(held, {"name", "keyType", "elements"})
    _expect(len(held["name"]) <= 200 and bool(SET_NAME.fullmatch(held["name"])), f"set {held['name']!r}", {True})
    _expect(held["keyType"], "keyType", {"ipv4_addr"})
    for element in held["elements"]:
        _fields(element, {"key"})
        ip_address(element["key"])


def _chain(chain: Object, sets: set[str]) -> None:
    _fields(chain, {"name", "hook", "policy", "priority", "type", "rules"})
    _expect(chain["policy"], "policy", {"accept", "drop"})
    _expect(chain["hook"], "hook", HOOKS[chain["type"]])
    _expect(chain["type"], "type, with filterRules", {"filter"})
    _expect(type(chain["priority"]), "type of priority", {int})
    _fields(chain["rules"], {"filterRules"})
    rules = chain["rules"]["filterRules"]
    _unique("rule", [rule["name"] for rule in rules])
    for rule in rules:
        _fields(rule, {"name", "counter", "action", "match"})
        _expect(rule["action"], "action", ACTIONS)
        for entry in rule["match"]:
            _entry(entry, sets)


def _entry(entry: Object, sets: set[str]) -> None:
    _expect(entry["op"], "op", {"eq", "neq"})
    criterion = set(entry) - {"op"}
    if criterion in ({"proto"}, {"proto", "port"}):
        _fields(entry["proto"], {"value"})
        _expect(entry["proto"]["value"], "proto", {"tcp", "udp"})
        if "port" in entry:
            _fields(entry["port"], {"value", "position"})
            _expect(entry["port"]["position"], "position", {"src", "dst"})
            _port(entry["port"]["value"])
        return
    if len(criterion) != 1:
        raise DeniedError(f"match entry {entry} has not exactly one criterion")
    if criterion == {"ctstate"}:
        _fields(entry["ctstate"], {"value"})
        if not entry["ctstate"]["value"] or not set(entry["ctstate"]["value"]) <= STATES:
            raise DeniedError(f"ctstate {entry['ctstate']}")
        return
    _expect(criterion == {"ip"}, f"criterion {criterion}", {True})
    _fields(entry["ip"], {"value", "position"})
    _expect(entry["ip"]["position"], "position", {"src", "dst"})
    value = entry["ip"]["value"]
    if value.startswith("@"):
        _expect(value[1:], "set", sets)
    else:
        # the webhook takes host bits as well, with which the agent never matches
        ip_network(value, strict=False)


def _port(value: str) -> None:
    # Liqo's webhook looks at no port, and its agent cuts one that is too large to 16 bits.
    ends = [int(end) for end in value.split("-")]
    _expect(len(ends) <= 2 and ends == sorted(ends) and ends[-1] < 1 << 16, f"port {value!r}", {True})


def _expect(value: object, what: str, allowed: set[Any]) -> None:
    if value not in allowed:
        raise DeniedError(f"{what}: {value!r} is not one of {allowed}")


def _fields(part: Object, allowed: set[str]) -> None:
    if set(part) != allowed:
        raise DeniedError(f"fields {sorted(part)} instead of {sorted(allowed)}")


def _unique(what: str, names: list[str]) -> None:
    if not all(names) or len(set(names)) != len(names):
        raise DeniedError(f"{what} names are empty or repeated: {names}")


def _key(configuration: Object) -> tuple[str, str]:
    return configuration["metadata"]["namespace"], configuration["metadata"]["name"]
