"""How engines and servers side by side are compared, given what each took."""

from __future__ import annotations

from benchmarks.peers import offline, over_http
from benchmarks.peers.offline import RETORT, speeds


def test_each_engine_counts_with_the_budget_that_is_best_for_it() -> None:
    rates = {
        (RETORT, "mixed"): [100.0, 110.0, 90.0],
        (1024, "mixed"): [10.0, 10.0, 10.0],
        (2048, "mixed"): [50.0, 50.0, 60.0],
        (RETORT, "short"): [20.0, 20.0, 20.0],
        (1024, "short"): [40.0, 40.0, 40.0],
        (2048, "short"): [30.0, 30.0, 30.0],
    }
    mixed, short = speeds("OpenVINO", "bfloat16", "openvino", rates)
    assert (mixed.budget, mixed.texts_per_s, mixed.retort_texts_per_s, mixed.retort_over) == (2048, 50, 100, 2)
    assert (short.budget, short.retort_over) == (1024, 0.5)
    assert offline.figures([mixed, short]) == {"engine_over_openvino_mixed": 2, "engine_over_openvino_short": 0.5}


def test_servers_are_compared_life_by_life() -> None:
    rates = {("Retort", 1): [10.0, 20.0, 30.0], ("LitServe", 1): [5.0, 5.0, 5.0]}
    rows = list(over_http.rows(rates))
    assert [(row.server, row.texts_per_s, row.retort_over) for row in rows] == [("Retort", 20, 1), ("LitServe", 5, 4)]
    assert over_http.figures(rows) == {"served_over_litserve_1": 4}
