"""Rules evaluate a clusterSelector as Kubernetes does: compared with a plain reading of its documentation."""

from random import Random

import pytest

from liqo_connectivity.engine import evaluate
from tests.support.clusters import base_of, facts_with, program
from tests.support.descriptions import Cluster, Namespace, Node, Offloading, Requirement, VirtualNode
from tests.support.manifests import objects
from tests.support.node_selectors import is_matched, is_readable
from tests.support.random_selectors import random_labels, random_term
from tests.support.seeds import groups

MADE_UP = "liqo.io/storage-available"


def answer(*terms: tuple[Requirement, ...], labels: dict[str, str] | None = None, node: bool = True) -> str:
    """Whether a selector selects a cluster with one virtual node, milan: yes, no or unknown."""
    written = tuple((labels or {}).items())
    described = Cluster(
        namespaces=(Namespace("liqo-tenant-milan", "milan", tenant=True),),
        nodes=(Node("milan", virtual=True, cluster="milan", labels=written),) if node else (),
        virtual_nodes=(VirtualNode("liqo-tenant-milan", "milan", "milan", written),),
        offloadings=(Offloading("shop", terms),),
    )
    facts = facts_with(base_of(objects(described)), {})
    model = evaluate(program("mapped_namespace", "mapping_unknown"), facts)
    if model.rows("mapped_namespace"):
        assert not model.rows("mapping_unknown")
        return "yes"
    return "unknown" if model.rows("mapping_unknown") else "no"


@pytest.mark.parametrize("node", [True, False])
@pytest.mark.parametrize("seed", groups(0, 240, 40))
def test_rules_select_what_kubernetes_selects(seed: int, node: bool) -> None:
    told: set[str] = set()
    for number in range(seed, seed + 40):
        rng = Random(number)
        terms = tuple(random_term(rng) for _ in range(rng.randint(0, 3)))
        labels = dict(random_labels(rng))
        known = labels | {"liqo.io/remote-cluster-id": "milan"}
        if not terms or any(is_matched(term, "milan", known) for term in terms):
            wanted = "yes"
        else:
            wanted = "no" if all(map(is_readable, terms)) else "unknown"
        assert answer(*terms, labels=labels, node=node) == wanted, (number, terms, labels)
        told.add(wanted)
    assert told == {"yes", "no", "unknown"}


@pytest.mark.parametrize(
    ("operator", "values", "labels", "wanted"),
    [
        ("Gt", ("9",), {"rank": "10"}, "yes"),
        ("Gt", ("9",), {"rank": "9"}, "no"),
        ("Lt", ("9",), {"rank": "0008"}, "yes"),
        ("Lt", ("9",), {"rank": "low"}, "no"),
        ("Lt", ("9",), {}, "no"),
        ("Gt", ("9223372036854775806",), {"rank": "9223372036854775807"}, "yes"),
        ("Gt", ("9223372036854775808",), {"rank": "1"}, "unknown"),
        ("Gt", (), {"rank": "1"}, "unknown"),
        ("Gt", ("1", "2"), {"rank": "3"}, "unknown"),
        ("NotIn", ("9",), {}, "yes"),
        ("DoesNotExist", ("9",), {}, "unknown"),
        ("in", ("9",), {"rank": "9"}, "unknown"),
    ],
)
def test_operators(operator: str, values: tuple[str, ...], labels: dict[str, str], wanted: str) -> None:
    assert answer((Requirement("rank", operator, values),), labels=labels) == wanted


def test_a_term_without_requirements_selects_nothing() -> None:
    assert answer(()) == "no"


def test_another_field_than_the_name_is_never_one_of_the_values() -> None:
    assert answer((Requirement("metadata.namespace", "In", ("milan",), field=True),)) == "no"
    assert answer((Requirement("metadata.name", "Exists", field=True),)) == "unknown"


@pytest.mark.parametrize("operator", ["Exists", "DoesNotExist"])
def test_a_label_that_liqo_makes_up_without_a_node_is_not_known(operator: str) -> None:
    requirement = Requirement(MADE_UP, operator)
    assert answer((requirement,), node=False) == "unknown"
    assert answer((requirement,), labels={MADE_UP: "true"}) == ("yes" if operator == "Exists" else "no")


@pytest.mark.parametrize("label", ["naples", "milan", ""])
def test_a_node_does_not_say_which_cluster_it_is(label: str) -> None:
    labels = {"liqo.io/remote-cluster-id": label}
    assert answer((Requirement("liqo.io/remote-cluster-id", "In", ("milan",)),), labels=labels) == "yes"
    assert answer((Requirement("liqo.io/remote-cluster-id", "In", ("naples",)),), labels=labels) == "no"
