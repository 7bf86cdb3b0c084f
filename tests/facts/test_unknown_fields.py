"""A field that no policy has is refused in a file, at its place, and is a fact about a stored policy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, Collector, FixedLine, Origin, decode_json, decode_mapping
from liqo_connectivity.facts.base.fact import pointer
from tests.support.example_objects import EVERY_FIELD, POLICY, changed
from tests.support.manifest_files import lines, read_text

KIND = KIND_BY_NAME["PeeringConnectivity"]
HEAD = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: p, namespace: liqo-tenant-a}
"""
RULE_FIELDS = "the fields here are action, destination, name, ports, source"
PARTY_FIELDS = "the fields here are cidr, group, namespace, namespaceSelector, podSelector"
PORT_FIELDS = "the fields here are endPort, port, protocol"
POLICY_FIELDS = "the fields here are apiVersion, kind, metadata, spec, status"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rules: []\n", f"4: /rules: there is no such field; it belongs to /spec; {POLICY_FIELDS}"),
        ("Spec: {}\n", f"4: /Spec: there is no such field; did you mean spec? {POLICY_FIELDS}"),
        (
            "spec:\n  rule: []\n",
            "5:3: /spec/rule: there is no such field; did you mean rules? the fields here are defaultAction, rules",
        ),
        (
            "spec:\n  rules:\n  - {action: deny}\n  - from: {group: vc-local}\n    action: deny\n",
            f"7:5: /spec/rules/1/from: there is no such field; did you mean source? {RULE_FIELDS}",
        ),
        (
            "spec: {rules: [{dest: {namespace: shop}, action: deny}]}\n",
            f"4:17: /spec/rules/0/dest: there is no such field; did you mean destination? {RULE_FIELDS}",
        ),
        (
            "spec: {rules: [{action: deny, weight: 1}]}\n",
            f"4:31: /spec/rules/0/weight: there is no such field; {RULE_FIELDS}",
        ),
        (
            "spec: {rules: [{action: deny, source: {Group: vc-local}}]}\n",
            f"4:40: /spec/rules/0/source/Group: there is no such field; did you mean group? {PARTY_FIELDS}",
        ),
        (
            "spec: {rules: [{action: deny, source: {ipBlock: {}}}]}\n",
            f"4:40: /spec/rules/0/source/ipBlock: there is no such field; did you mean cidr? {PARTY_FIELDS}",
        ),
        (
            "spec: {rules: [{action: deny, matchLabels: {}}]}\n",
            f"4:31: /spec/rules/0/matchLabels: there is no such field; it belongs to /spec/rules/0/source/podSelector; {RULE_FIELDS}",
        ),
        (
            "spec: {rules: [{action: deny, ports: [{protocol: TCP, targetPort: 80}]}]}\n",
            f"4:55: /spec/rules/0/ports/0/targetPort: there is no such field; did you mean port? {PORT_FIELDS}",
        ),
        (
            'spec: {rules: [{action: deny, "a/b~\\e": 1}]}\n',
            f"4:16: /spec/rules/0/a~1b~0\\x1b: there is no such field; {RULE_FIELDS}",
        ),
    ],
)
def test_an_unknown_field_of_a_file_is_refused_where_it_is(tmp_path: Path, text: str, line: str) -> None:
    place, _, rest = line.partition(": ")
    assert lines(tmp_path, HEAD + text) == [f"a.yaml:{place}: PeeringConnectivity liqo-tenant-a/p: {rest}"]


def test_every_unknown_field_is_named_and_the_policy_is_unreadable_once(tmp_path: Path) -> None:
    rules = "spec:\n  rules:\n  - {from: {}, to: {}}\n  - {action: deny, sauce: {group: vc-local}}\n"
    reading = read_text(tmp_path, HEAD + rules)
    assert [(problem.line, problem.column, problem.field) for problem in reading.problems] == [
        (6, 6, "/spec/rules/0/from"),
        (6, 16, "/spec/rules/0/to"),
        (7, 20, "/spec/rules/1/sauce"),
    ]
    (row,) = reading.base.rows("unreadable")
    assert row == ("PeeringConnectivity", "liqo-tenant-a", "p", "/spec/rules/0/from: there is no such field")
    assert reading.base.rows("policy") == set()


def test_a_field_of_a_json_file_is_found_by_line_and_column(tmp_path: Path) -> None:
    policy = {"apiVersion": "security.liqo.io/v1", "kind": "PeeringConnectivity", **POLICY}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy]})
    (problem,) = read_text(tmp_path, text, "a.json").problems
    assert (problem.line, problem.column) == (1, text.index('"priority"') + 1)
    (problem,) = read_text(tmp_path, json.dumps(policy, indent=1), "a.json").problems
    assert (problem.field, problem.column) == ("/spec/rules/1/priority", 5)


def test_null_for_a_party_is_refused_because_it_would_match_anything(tmp_path: Path) -> None:
    text = HEAD + "spec:\n  rules:\n  - source:\n    action: deny\n"
    assert lines(tmp_path, text) == [
        (
            "a.yaml:6: PeeringConnectivity liqo-tenant-a/p: /spec/rules/0/source: null must be an object; "
            "correct the indentation or the type"
        )
    ]


def test_an_unknown_field_of_a_stored_policy_is_a_fact() -> None:
    value = changed(POLICY, "/spec/rules/0/from", {"group": "vc-local"})
    decoded = decode_mapping(KIND, value)
    assert decoded.problem is None
    assert decoded == decode_json(KIND, json.dumps(value).encode())
    key = "liqo-tenant-milan/guard"
    unknown = [tuple(fact.row) for fact in decoded.facts if fact.relation == "policy_unknown_field"]
    assert unknown == [(key, "/spec/rules/0/from"), (key, "/spec/rules/1/priority")]
    assert ("policy_party_group", (key, 0, "source", "vc-local")) in {(f.relation, tuple(f.row)) for f in decoded.facts}


def test_objects_of_a_live_cluster_are_stored_ones() -> None:
    collector = Collector()
    collector.add_document(
        {"apiVersion": "security.liqo.io/v1", "kind": "PeeringConnectivity", **POLICY}, Origin("", FixedLine(0))
    )
    reading = collector.reading()
    assert reading.problems == ()
    assert reading.base.rows("policy_unknown_field") == {("liqo-tenant-milan/guard", "/spec/rules/1/priority")}


def test_what_kubernetes_adds_is_no_unknown_field(tmp_path: Path) -> None:
    stored: dict[str, Any] = {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {
            "name": "p",
            "namespace": "liqo-tenant-a",
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "finalizers": ["security.liqo.io/chain"],
            "generation": 2,
            "selfLink": "",
        },
        "spec": {"rules": []},
        "status": {"conditions": [], "rules": 0, "anything": 1},
    }
    assert read_text(tmp_path, json.dumps(stored), "a.json").problems == ()


def test_a_policy_with_thousands_of_unknown_fields_is_named_by_a_few() -> None:
    value = changed(POLICY, "/spec/rules", [{f"field-{number}": number for number in range(5000)}])
    decoded = decode_mapping(KIND, value)
    assert decoded.problem is None
    assert len([fact for fact in decoded.facts if fact.relation == "policy_unknown_field"]) == 20


def objects_in(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all objects in a value, but for what maps names that its writer chose."""
    if isinstance(value, dict):
        yield path
        for name, each in value.items():
            if name not in ("metadata", "matchLabels"):
                yield from objects_in(each, (*path, name))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from objects_in(each, (*path, index))


@pytest.mark.parametrize("path", [*objects_in(EVERY_FIELD)], ids=lambda path: pointer(*path))
def test_a_field_of_a_later_version_is_unknown_wherever_it_is(path: tuple[str | int, ...]) -> None:
    """A controller older than the definition must not enforce a policy as if the field were not there."""
    field = pointer(*path, "later")
    decoded = decode_mapping(KIND, changed(EVERY_FIELD, field, {"more": 1}))
    assert decoded.problem is None
    known = decode_mapping(KIND, EVERY_FIELD).facts
    assert decoded.facts[: len(known)] == known
    [unknown] = decoded.facts[len(known) :]
    assert (unknown.relation, unknown.row[1]) == ("policy_unknown_field", field)
