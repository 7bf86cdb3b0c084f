"""The policy program on the database: one cluster turned into another, question by question, as if loaded each time."""

from random import Random

import pytest

from liqo_connectivity.engine import Row, evaluate
from liqo_connectivity.engine.incremental.database import Database
from tests.support.clusters import base_of, facts_with, program, questions
from tests.support.draws import chance
from tests.support.explaining import prove
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows

Facts = dict[str, set[Row]]


def facts_of(rng: Random) -> Facts:
    described = cluster(rng)
    asked = questions(flows(rng, described, 5), nft=chance(rng, 0.5))
    return {name: set(found) for name, found in facts_with(base_of(objects(described)), asked).items()}


@pytest.mark.parametrize("seed", range(12))
def test_one_cluster_turns_into_another(seed: int) -> None:
    rng = Random(seed)
    facts = facts_of(rng)
    database = Database(program())
    database.load(facts)
    for _ in range(3):
        wanted = facts_of(rng)
        changes = [(name, row, False) for name, rows in facts.items() for row in rows - wanted.get(name, set())]
        changes += [(name, row, True) for name, rows in wanted.items() for row in rows - facts.get(name, set())]
        rng.shuffle(changes)
        # Two transactions, so that there is a state between that no cluster has.
        for part in (changes[::2], changes[1::2]):
            with database.txn() as transaction:
                for name, row, present in part:
                    if present:
                        transaction.insert(name, row)
                    else:
                        transaction.delete(name, row)
        assert not database.check()
        facts = wanted
        model = evaluate(program(), facts)
        for name in program().schema.relations:
            assert database.rows(name) == model.rows(name)
        for name in ("flow_verdict", "chain_element", "pending"):
            for row in model.rows(name)[:4]:
                assert prove(database, name, row) == prove(model, name, row)
