"""A sentence about a reason stays short, however many details a remote cluster causes."""

from liqo_connectivity.operator.explain.reasons import by_cause


def test_a_cause_has_three_details_and_a_count() -> None:
    rows = [("NetworkMissing", "Configuration", "a/b", f"10.{number}.0.0/16") for number in range(9)]
    ((_, line),) = by_cause(rows)
    assert line.endswith("(10.0.0.0/16; 10.1.0.0/16; 10.2.0.0/16; and 6 more)")
    ((_, short),) = by_cause(rows[:3])
    assert short.endswith("(10.0.0.0/16; 10.1.0.0/16; 10.2.0.0/16)")
