"""Dumps: the same bytes for the same facts, the same facts back, and names that can be taken out."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import KIND_BY_NAME, Fact, FactBase, ObjectKey, Source, decode_mapping, read
from liqo_connectivity.facts.dumps.dump import HEADER, jsonl_lines, load_folder, load_jsonl, write_folder, write_jsonl
from liqo_connectivity.facts.dumps.redaction import redact
from liqo_connectivity.facts.extraction.controller_facts import enforcing, firewall_configuration
from liqo_connectivity.rules import relations
from liqo_connectivity.rules.relations import RELATION_NAMES

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: acme-web
  namespace: acme-shop
  uid: acme-uid
  labels: {liqo.io/shadowPod: "true", offloading.liqo.io/origin: acme-rome, secret-label: acme-label}
  annotations: {secret-annotation: acme-annotation}
spec: {nodeName: acme-node, containers: [{env: [{name: A, value: acme-env}]}]}
status: {phase: Running, podIP: 10.71.2.7, podIPs: [{ip: 10.71.2.7}, {ip: "FD00::1"}]}
---
apiVersion: v1
kind: Namespace
metadata:
  name: liqo-tenant-acme-rome
  labels: {liqo.io/remote-cluster-id: acme-rome, liqo.io/tenant-namespace: "true"}
---
apiVersion: v1
kind: Namespace
metadata:
  name: acme-shop
  annotations: {liqo.io/managed-by-namespace-map: liqo-tenant-acme-rome/acme-map}
---
apiVersion: offloading.liqo.io/v1beta1
kind: NamespaceMap
metadata: {name: acme-map, namespace: liqo-tenant-acme-rome, labels: {liqo.io/originID: acme-rome}}
status: {currentMapping: {acme-origin: {remoteNamespace: acme-shop, phase: Accepted}}}
---
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: acme-policy, namespace: liqo-tenant-acme-rome, creationTimestamp: "2026-07-01T10:00:00Z"}
spec:
  rules:
  - {action: allow, source: {group: vc-local}, destination: {namespace: acme-shop}}
  - {action: acme-action, source: {group: own-group}, destination: {group: local-cluster}}
---
apiVersion: ipam.liqo.io/v1alpha1
kind: Network
metadata: {name: acme-net, namespace: liqo-tenant-acme-rome, labels: {configuration.liqo.io/cidr-type: pod}}
spec: {cidr: acme-cidr}
status: {cidr: 10.71.0.0/16}
---
apiVersion: v1
kind: Pod
metadata: {name: acme-broken, namespace: acme-shop}
status: {podIP: acme-ip}
---
apiVersion: offloading.liqo.io/v1beta1
kind: VirtualNode
metadata: {name: acme-node, namespace: liqo-tenant-acme-rome}
spec: {clusterID: acme-rome}
"""

Rows = dict[str, set[tuple[str | int, ...]]]


def rows(base: FactBase) -> Rows:
    return {relation: set(found) for relation, found in base.relations() if found}


@pytest.fixture
def base(tmp_path: Path) -> FactBase:
    path = tmp_path / "acme.yaml"
    path.write_text(MANIFEST)
    return read([path]).base


@given(st.randoms(use_true_random=False))
def test_documents_in_any_order_give_the_same_bytes(rng: random.Random) -> None:
    import io

    documents = [part for part in MANIFEST.split("---\n") if "acme-broken" not in part]
    dumps = []
    for shuffled in (documents, rng.sample(documents, len(documents))):
        reading = read(["-"], stdin=io.BytesIO("---\n".join(shuffled).encode()))
        assert reading.problems == ()
        dumps.append((list(jsonl_lines(reading.base)), list(jsonl_lines(redact(reading.base)))))
    assert dumps[0] == dumps[1]


def test_the_format(base: FactBase) -> None:
    lines = list(jsonl_lines(base))
    assert lines[0] == HEADER == '{"format":"liqo-connectivity-facts","version":2}'
    assert lines[-1] == f'{{"facts":{len(lines) - 2}}}'
    assert lines[1:-1] == sorted(lines[1:-1], key=lambda line: (json.loads(line)["relation"], json.loads(line)["row"]))
    assert (
        '{"relation":"pod_node","row":["acme-shop/acme-web","acme-node"],"source":{"kind":"Pod","namespace":"acme-shop",'
        '"name":"acme-web","uid":"acme-uid","resourceVersion":"","field":"/spec/nodeName","value":"acme-node"}}'
    ) in lines


def test_nothing_but_what_facts_need_is_in_a_dump(base: FactBase) -> None:
    text = "\n".join(jsonl_lines(base))
    for word in ("acme-env", "acme-label", "acme-annotation"):
        assert word not in text


def test_json_lines_come_back_with_provenance(base: FactBase, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    write_jsonl(base, path)
    reading = read([path])
    assert reading.problems == ()
    assert set(reading.base.facts()) == set(base.facts())
    assert list(jsonl_lines(reading.base)) == path.read_text().splitlines()


def test_a_folder_comes_back_as_rows_that_name_its_files(base: FactBase, tmp_path: Path) -> None:
    folder = tmp_path / "facts"
    write_folder(base, folder)
    assert {path.name for path in folder.iterdir()} == {f"{name}.facts" for name in RELATION_NAMES.values()}
    assert (folder / "pod_ip.facts").read_text() == "acme-shop/acme-web\t10.71.2.7\nacme-shop/acme-web\tfd00::1\n"
    assert (folder / "flow.facts").read_text() == ""
    reading = read([folder])
    assert reading.problems == ()
    assert rows(reading.base) == rows(base)
    (fact,) = reading.base.facts_for("node_cluster", ("x", "y")) or reading.base.facts_for(
        "virtual_node", ("liqo-tenant-acme-rome/acme-node", "liqo-tenant-acme-rome", "acme-node", "acme-rome")
    )
    assert fact.source[:3] == ("FactsFile", "", str(folder / "virtual_node.facts"))


TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS)), st.lists(st.tuples(TEXTS, st.integers(-(2**31), 2**31 - 1))))
def test_any_text_survives_both_dumps(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str, str]], numbers: list[tuple[str, int]]
) -> None:
    base, key = FactBase(), ObjectKey("Pod", "a", "b")
    source = Source(*key, "", "")
    given_rows = [
        *(relations.Unreadable(*text) for text in texts),
        *(relations.PolicyRule(*pair) for pair in numbers),
    ]
    base.replace(key, [Fact(row, source, "/x", "v") for row in given_rows])
    folder = tmp_path_factory.mktemp("facts")
    write_folder(base, folder)
    loaded = load_folder(folder)
    assert loaded.problems == []
    assert {fact.row for facts in loaded.facts.values() for fact in facts} == set(given_rows)
    again = load_jsonl("\n".join(jsonl_lines(base)) + "\n", "f")
    assert again.problems == []
    assert {fact.row for facts in again.facts.values() for fact in facts} == set(given_rows)


FACT = '{"relation":"node","row":["n"],"source":{"kind":"Node","namespace":"","name":"n","uid":"","resourceVersion":"","field":"/metadata/name","value":"n"}}'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        FACT.replace('"node"', '"nodes"'),
        FACT.replace('"node"', '"flow"'),
        FACT.replace('["n"]', '["n","m"]'),
        FACT.replace('["n"]', "[5]"),
        FACT.replace('["n"]', '["\\ud800"]'),
        FACT.replace('"uid":""', '"uid":null'),
        FACT.replace('"value":"n"', '"value":[]'),
        FACT.replace('"relation":"node"', '"relation":"policy_rule"').replace('["n"]', '["n",true]'),
    ],
)
def test_a_line_that_is_no_fact_is_a_problem(line: str) -> None:
    loaded = load_jsonl(f'{HEADER}\n{FACT}\n{line}\n{{"facts":2}}\n', "f.jsonl")
    assert list(map(str, loaded.problems)) == ["f.jsonl:3: is not a fact; write the dump again"]
    assert len(loaded.facts) == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("node.facts", "a\tb\n", "is not a row of node"),
        ("node.facts", "a\\q\n", "is not a row of node"),
        ("policy_rule.facts", "a\tx\n", "is not a row of policy_rule"),
        ("node.facts", "a\nb", "ends inside a line"),
        ("nodes.facts", "", '"nodes" is not a relation'),
    ],
)
def test_a_facts_file_that_is_malformed_is_a_problem(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    assert [problem.message for problem in read([tmp_path]).problems] == [message]


def test_redaction_leaves_no_name(base: FactBase, tmp_path: Path) -> None:
    redacted = redact(base)
    text = "\n".join(jsonl_lines(redacted))
    write_folder(redacted, tmp_path / "redacted")
    text += "".join(path.read_text() for path in (tmp_path / "redacted").iterdir())
    assert "acme" not in text
    assert "liqo-tenant" not in text
    assert len(redacted) == len(base)
    assert redacted.counts() == base.counts()


def test_redaction_hides_what_the_controller_wrote_and_keeps_its_joins() -> None:
    base = FactBase()
    for facts in (
        enforcing("liqo-connectivity-engine"),
        firewall_configuration(
            ObjectKey("FirewallConfiguration", "liqo-tenant-milan", "milan-connectivity"), "u", "1", "guard"
        ),
        decode_mapping(
            KIND_BY_NAME["PeeringConnectivity"],
            {"metadata": {"name": "guard", "namespace": "liqo-tenant-milan"}, "spec": {}},
        ).facts,
    ):
        base.replace(facts[0].source.key, facts)
    redacted = redact(base)
    text = "\n".join(jsonl_lines(redacted))
    assert "milan" not in text
    assert "guard" not in text
    ((_, namespace, _, policy),) = redacted.rows("firewall_configuration")
    assert redacted.rows("policy") == {(policy, namespace)}
    assert redacted.rows("enforcing") == base.rows("enforcing")


def test_redaction_keeps_joins_keywords_and_addresses(base: FactBase) -> None:
    redacted = rows(redact(base))
    ((pod, address, *_), *_) = sorted(redacted["pod_ip"])
    ((origin_pod, origin),) = redacted["pod_origin"]
    ((tenant, cluster),) = redacted["namespace_cluster"]
    ((entry_map, _, remote, phase),) = redacted["namespace_map_entry"]
    ((key, virtual_namespace, virtual_node, virtual_cluster),) = redacted["virtual_node"]
    assert key == f"{virtual_namespace}/{virtual_node}"
    ((policy, named),) = redacted["policy_tenant_name"]
    assert address == "10.71.2.7"
    assert origin_pod == pod
    assert origin == cluster == virtual_cluster == named
    assert redacted["pod_node"] == {(pod, virtual_node)}
    assert str(pod).startswith(f"{remote}/")
    assert str(policy).startswith(f"{tenant}/")
    assert (remote, str(entry_map).split("/")[0]) in redacted["namespace_managed_by"]
    assert phase == "Accepted"
    assert (policy, 0, "allow") in redacted["policy_action"]
    assert (policy, 0, "source", "vc-local") in redacted["policy_party_group"]
    assert (policy, 0, "destination", remote) in redacted["policy_party_namespace"]
    assert redacted["network_status_cidr"] == {(f"{tenant}/network-1", "10.71.0.0/16")}


def test_redacted_provenance_is_consistent(base: FactBase) -> None:
    for fact in redact(base).facts():
        if fact.field == "/metadata/name":
            assert fact.value == fact.source.name
        assert (fact.source.uid, fact.source.resource_version) == ("", "")
    (entry,) = (fact for fact in redact(base).facts() if fact.relation == "namespace_map_entry")
    assert entry.field == f"/status/currentMapping/{entry.row[1]}/remoteNamespace"
    assert entry.value == entry.row[2]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "a-b", "a-c", "b", "a0"]),
            st.from_regex(r"[a-z][-a-z0-9]{0,3}[a-z0-9]", fullmatch=True),
        ),
        min_size=1,
        max_size=30,
        unique=True,
    )
)
def test_redaction_keeps_the_order_of_policies(names: list[tuple[str, str]]) -> None:
    base = FactBase()
    for namespace, name in names:
        source = Source("PeeringConnectivity", namespace, name, "", "")
        row = relations.Policy(f"{namespace}/{name}", namespace)
        base.replace(source.key, [Fact(row, source, "/metadata/name", name)])
    redacted = redact(base)
    before = sorted(base.rows("policy"))
    numbered = sorted(redacted.rows("policy"))
    assert [len({str(row[1]) for row in found}) for found in (before, numbered)] == [len({n for n, _ in names})] * 2
    spaces: dict[str | int, str | int] = {}
    for old, new in zip(before, numbered, strict=True):
        assert spaces.setdefault(old[1], new[1]) == new[1]
