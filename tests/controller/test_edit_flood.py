"""Edits on a real kernel under a flood of packets: what every policy denies never passes, what every policy allows is never lost.

``SEEDS=all`` makes a thousand edits.
"""

import pytest

from tests.support.edit_flood import flooded
from tests.support.seeds import SEEDS

pytestmark = pytest.mark.slow

EDITS = 25
RUNS = {"few": 1, "some": 3, "all": 40}


@pytest.mark.parametrize("run", range(RUNS[SEEDS]))
def test_no_denied_packet_passes_and_no_allowed_one_is_lost(run: int) -> None:
    """The controller is killed between any two requests, agents are slow, and pods come and go meanwhile."""
    found = flooded(EDITS, run)
    assert (found.passed, found.lost, found.edits) == (0, 0, EDITS)
    assert found.kills > 0
    assert found.denied == found.allowed > 50 * EDITS


def test_edits_in_place_leak_and_the_flood_sees_it() -> None:
    found = flooded(5, 0, in_place=True)
    assert found.passed > 0
    assert found.lost == 0
