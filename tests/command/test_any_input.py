"""Whatever bytes come in, the command line answers in plain lines with a documented exit code. `make soak` tries more."""

import pytest

from tests.support.answered import complaints


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_any_bytes_are_answered_plainly(first: int) -> None:
    assert [line for seed in range(first, first + 10) for line in complaints(seed)] == []
