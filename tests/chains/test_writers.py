"""What the writers write, to the byte."""

import json
from random import Random

import yaml

from liqo_connectivity.chains import (
    COLUMNS,
    Layout,
    Table,
    assemble,
    firewall_json,
    firewall_object,
    firewall_yaml,
    nft_script,
    nft_transaction,
    nft_transaction_json,
)
from tests.support.chain_layouts import one_rule, policy_relations

POLICY = [("drop", "vc-remote", "private-subnets"), ("accept", "any", "any")]
RELATIONS = policy_relations(POLICY, {"vc-remote": ["10.71.0.10", "10.71.0.9"], "offloaded": []})

YAML = """\
---
apiVersion: networking.liqo.io/v1beta1
kind: FirewallConfiguration
metadata:
  name: milan-connectivity
  namespace: liqo-tenant-milan
  labels:
    networking.liqo.io/firewall-category: fabric
    networking.liqo.io/firewall-subcategory: all-nodes
    app.kubernetes.io/managed-by: liqo-connectivity-engine
spec:
  table:
    name: connectivity-milan
    family: IPV4
    sets:
    - name: group.offloaded.0
      keyType: ipv4_addr
      elements: []
    - name: namespace.my_app.0
      keyType: ipv4_addr
      elements:
      - key: 10.1.0.9
      - key: 10.1.0.10
    chains:
    - name: connectivity
      hook: postrouting
      policy: accept
      priority: 90
      type: filter
      rules:
        filterRules:
        - name: r000-established-434d8e9d7c2a
          counter: false
          action: accept
          match:
          - op: eq
            ctstate:
              value:
              - established
              - related
        - name: r001-rule-0-7b33266686e4
          counter: false
          action: accept
          match:
          - op: eq
            ip:
              value: 10.71.0.0/16
              position: src
          - op: eq
            ip:
              value: 10.71.0.0/16
              position: dst
        - name: r002-rule-1-0b0738ce65bb
          counter: false
          action: drop
          match:
          - op: eq
            ip:
              value: '@namespace.my_app.0'
              position: src
          - op: eq
            ip:
              value: '@group.offloaded.0'
              position: dst
        - name: r003-rule-2-561f8c8a1b39
          counter: false
          action: accept
          match: []
"""

SCRIPT = """\
add table ip connectivity-milan
delete table ip connectivity-milan
table ip connectivity-milan {
	set group.offloaded.0 {
		type ipv4_addr
	}
	set namespace.my_app.0 {
		type ipv4_addr
		elements = {
			10.1.0.9,
			10.1.0.10,
		}
	}
	chain connectivity {
		type filter hook postrouting priority 90; policy accept;
		ct state established,related accept comment "r000-established-434d8e9d7c2a"
		ip saddr 10.71.0.0/16 ip daddr 10.71.0.0/16 accept comment "r001-rule-0-7b33266686e4"
		ip saddr @namespace.my_app.0 ip daddr @group.offloaded.0 drop comment "r002-rule-1-0b0738ce65bb"
		accept comment "r003-rule-2-561f8c8a1b39"
	}
}
"""


def small() -> tuple[Table, ...]:
    return assemble(
        one_rule(
            chain_rule=[
                ("milan", 0, "established", 0, "accept"),
                ("milan", 1, "rule", 0, "accept"),
                ("milan", 2, "rule", 1, "drop"),
                ("milan", 3, "rule", 2, "accept"),
            ],
            chain_state=[("milan", 0, "related"), ("milan", 0, "established")],
            chain_any=[("milan", 3, "source"), ("milan", 3, "destination")],
            chain_cidr=[
                ("milan", 1, "source", "10.71.0.0/16"),
                ("milan", 1, "destination", "10.71.0.0/16"),
            ],
            chain_set=[
                ("milan", 2, "source", "namespace", "my-app"),
                ("milan", 2, "destination", "group", "offloaded"),
            ],
            chain_element=[("milan", "namespace", "my-app", f"10.1.0.{last}") for last in (10, 9)],
        )
    )


def test_firewall_configuration_as_yaml() -> None:
    assert firewall_yaml(small()) == YAML


def test_nft_script() -> None:
    assert nft_script(small()) == SCRIPT


def test_nft_transaction() -> None:
    place = {"family": "ip", "table": "connectivity-milan"}
    table = {"table": {"family": "ip", "name": "connectivity-milan"}}
    saddr, daddr = ({"payload": {"protocol": "ip", "field": field}} for field in ("saddr", "daddr"))
    prefix = {"prefix": {"addr": "10.71.0.0", "len": 16}}
    comments = [line.split('"')[1] for line in SCRIPT.splitlines() if "comment" in line]
    expressions = [
        [
            {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}},
            {"accept": None},
        ],
        [
            {"match": {"op": "==", "left": saddr, "right": prefix}},
            {"match": {"op": "==", "left": daddr, "right": prefix}},
            {"accept": None},
        ],
        [
            {"match": {"op": "==", "left": saddr, "right": "@namespace.my_app.0"}},
            {"match": {"op": "==", "left": daddr, "right": "@group.offloaded.0"}},
            {"drop": None},
        ],
        [{"accept": None}],
    ]
    hook = {"name": "connectivity", "type": "filter", "hook": "postrouting", "prio": 90, "policy": "accept"}
    assert nft_transaction(small()) == {
        "nftables": [
            {"metainfo": {"json_schema_version": 1}},
            {"add": table},
            {"delete": table},
            {"add": table},
            {"add": {"set": {**place, "name": "group.offloaded.0", "type": "ipv4_addr"}}},
            {"add": {"set": {**place, "name": "namespace.my_app.0", "type": "ipv4_addr"}}},
            {"add": {"element": {**place, "name": "namespace.my_app.0", "elem": ["10.1.0.9", "10.1.0.10"]}}},
            {"add": {"chain": {**place, **hook}}},
            *(
                {"add": {"rule": {**place, "chain": "connectivity", "comment": comment, "expr": expression}}}
                for comment, expression in zip(comments, expressions, strict=True)
            ),
        ]
    }
    assert json.loads(nft_transaction_json(small())) == nft_transaction(small())


def test_json_and_yaml_hold_the_same_objects() -> None:
    tables = assemble(Layout.from_relations(RELATIONS))
    items = [firewall_object(table) for table in tables]
    assert json.loads(firewall_json(tables)) == {"apiVersion": "v1", "kind": "List", "items": items}
    assert list(yaml.load_all(firewall_yaml(tables), Loader=yaml.CSafeLoader)) == items


def test_no_tables_are_no_commands_and_no_objects() -> None:
    assert (nft_script([]), firewall_yaml([])) == ("", "")
    assert nft_transaction([]) == {"nftables": [{"metainfo": {"json_schema_version": 1}}]}
    assert json.loads(firewall_json([]))["items"] == []


def test_an_emptied_table_tells_the_agent_to_delete_its_chain() -> None:
    emptied = Table("milan", "liqo-tenant-milan", "liqo-tenant-milan/policy", chains=(), sets=())
    table = firewall_object(emptied)["spec"]["table"]
    assert (table["name"], table["chains"], table["sets"]) == ("connectivity-milan", [], [])


def test_the_same_tuples_in_any_order_are_the_same_bytes() -> None:
    shuffled = Random(7)
    texts = set()
    for _ in range(10):
        rows = {relation: list(RELATIONS[relation]) for relation in COLUMNS}
        for held in rows.values():
            shuffled.shuffle(held)
        tables = assemble(Layout.from_relations(rows))
        texts.add((firewall_yaml(tables), firewall_json(tables), nft_script(tables), nft_transaction_json(tables)))
    assert len(texts) == 1
