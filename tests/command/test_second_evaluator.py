"""``--engine pydatalog`` and ``--verify``: the second evaluator answers the same, or there is no answer."""

import pytest

from liqo_connectivity.engine.pydatalog import second_opinion
from tests.support.recorded_cluster import outputs


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["why", "shop/web-0", "infra/dns-0"], ["render"], ["query", "governing(P, Q)"]])
def test_pydatalog_gives_the_same_answer(
    arguments: list[str], cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = outputs(capsys, *arguments, "-f", cluster)
    assert outputs(capsys, *arguments, "-f", cluster, "--engine", "pydatalog") == ours
    assert outputs(capsys, *arguments, "-f", cluster, "--verify") == ours


@pytest.mark.parametrize(
    ("ends", "relation", "row"),
    [
        (["shop/web-0", "infra/dns-0"], "flow_verdict", 'flow_verdict("10.71.2.10 -> 10.244.1.9", "denied")'),
        # What only chooses the addresses that stand for a group is part of the answer too.
        (["group:remote-cluster@milan", "group:local-cluster@milan"], "local_cidr", 'local_cidr("10.200.0.0/17")'),
    ],
    ids=["pods", "groups"],
)
def test_a_difference_between_evaluators_is_no_answer(
    ends: list[str],
    relation: str,
    row: str,
    cluster: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated = second_opinion.evaluate_relations

    def forget(*arguments: object, **limits: object) -> dict[str, list[tuple[str | int, ...]]]:
        rows = evaluated(*arguments, **limits)  # type: ignore[arg-type]  # handed on as given
        return {name: [] if name == relation else found for name, found in rows.items()}

    monkeypatch.setattr(second_opinion, "evaluate_relations", forget)
    code, out, err = outputs(capsys, "why", *ends, "-f", cluster, "--verify")
    assert (code, out) == (4, "")
    assert f"{row} is derived by the engine only" in err


def test_a_limit_of_pydatalog_is_no_answer(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, "render", "-f", cluster, "--engine", "pydatalog", "--limit-seconds", "0.001")
    assert (code, out) == (4, "")
    assert "0.001 s" in err
