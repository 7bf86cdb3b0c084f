"""What happened in a real cluster of Liqo happens again while the controller runs: whenever it is quiet for a moment,
what is stored is what the rules give for the objects as they are then, computed from scratch.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from liqo_connectivity.chains import STANDIN
from liqo_connectivity.facts import ObjectKey
from tests.facts.test_recorded_events import is_read
from tests.support import recordings
from tests.support.api_client import Object
from tests.support.clusters import facts_of
from tests.support.operator_cluster import OperatorCluster, specs_of
from tests.support.operator_scene import Scene
from tests.support.trace_player import Player
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

QUIET_SECONDS = 3.0
"""Pauses of the recording that are as long as that are moments to compare at."""
Specs = dict[tuple[str, str], Object]


@dataclass
class Replayed:
    """What was compared: at each quiet moment the number of events before it, what is rendered and what was stored."""

    moments: list[tuple[int, Specs, Specs]] = field(default_factory=list[tuple[int, Specs, Specs]])
    current: dict[ObjectKey, Object] = field(default_factory=dict[ObjectKey, Object])


def timed_events() -> Iterator[tuple[float, str, Object]]:
    """The recorded events with their times in seconds."""
    for line in gzip.decompress((recordings.FOLDER / "rome-events.jsonl.gz").read_bytes()).splitlines():
        event = json.loads(line)
        yield event["t"], event["type"], event["object"]


def quiet_moments() -> set[int]:
    """After how many events there was a pause, the end included."""
    times = [time for time, _, _ in timed_events()]
    pauses = {place for place in range(1, len(times)) if times[place] - times[place - 1] >= QUIET_SECONDS}
    return {*pauses, len(times)}


def compare(cluster: OperatorCluster, replayed: Replayed, policies: list[Object]) -> tuple[Specs, Specs]:
    """Wait until what is stored is what is rendered, of the server's objects and of the recorded ones alike."""
    rendered = cluster.rendered()
    recorded = specs_of([*replayed.current.values(), *policies])
    assert rendered == recorded, "the server has what was recorded"

    def stored() -> list[Specs]:
        written = cluster.written()
        return [written] if rendered.items() <= written.items() else []

    found = eventually(
        stored,
        20,
        shows=lambda: (
            f"rendered {json.dumps(list(rendered.values()))}\nstored {json.dumps(list(cluster.written().values()))}"
        ),
    )
    return rendered, found[0]


@pytest.fixture(scope="module")
def replayed(stage: Scene) -> Iterator[Replayed]:
    """The whole recording, played while the controller runs, and compared at every quiet moment."""
    cluster, player, moments = stage.cluster, Player(stage.cluster.client), quiet_moments()
    stage.place.remove("/apis/ipam.liqo.io/v1alpha1/namespaces/liqo/networks/pod-cidr")
    written = {found["metadata"]["namespace"]: found for found in recordings.policies_of("rome-4")}
    policies: list[Object] = []
    result = Replayed()
    with cluster.operator() as controller:
        for number, (_, kind, found) in enumerate(timed_events(), 1):
            if is_read(found):
                player.play(kind, found)
                key = facts_of(found)[0]
                if kind == "DELETED":
                    result.current.pop(key, None)
                else:
                    result.current[key] = found
                if found["kind"] == "Namespace" and (policy := written.pop(found["metadata"]["name"], None)):
                    metadata = {name: policy["metadata"][name] for name in ("name", "namespace")}
                    policies.append(cluster.client.create({**policy, "metadata": metadata}))
            if number in moments:
                try:
                    result.moments.append((number, *compare(cluster, result, policies)))
                except BaseException as error:
                    error.add_note(f"after {number} events")
                    raise
        yield result
        controller.stop()


def test_what_is_stored_is_what_is_rendered_at_every_quiet_moment(replayed: Replayed) -> None:
    assert len(replayed.moments) >= 25
    for number, rendered, stored in replayed.moments:
        assert rendered.items() <= stored.items(), f"after {number} events"


def test_the_recording_changes_the_chains_often_enough_to_tell(replayed: Replayed) -> None:
    texts = {json.dumps(list(rendered.items())) for _, rendered, _ in replayed.moments if rendered}
    assert len(texts) >= 10


def test_a_chain_that_was_stored_stays_while_its_policy_waits(replayed: Replayed) -> None:
    """An edit may be under way at such a moment, so the chain is in the object of its peering or in its stand-in."""
    waited = 0
    chains: dict[tuple[str, str], object] = {}
    for number, rendered, stored in replayed.moments:
        held: defaultdict[tuple[str, str], list[object]] = defaultdict(list)
        for (namespace, name), spec in stored.items():
            if spec["table"]["chains"]:
                held[namespace, name.removesuffix(STANDIN)].append(spec["table"]["chains"])
        waiting = chains.keys() - rendered.keys()
        for key in waiting:
            assert chains[key] in held[key], f"after {number} events: the chain of {key} is gone"
        waited += len(waiting)
        chains |= {key: spec["table"]["chains"] for key, spec in rendered.items()}
        assert chains.keys() == held.keys(), f"after {number} events"
    assert waited, "the recording has a moment when a policy waits after it was enforced"


def test_the_end_of_the_recording_stays_as_it_is(stage: Scene, replayed: Replayed) -> None:
    stage.cluster.settled()
    rendered = stage.cluster.rendered()
    assert rendered == replayed.moments[-1][1]
    assert {key: spec for key, spec in stage.cluster.written().items() if key in rendered} == rendered
