"""How engines and servers side by side are compared, given what each took."""

from __future__ import annotations

import pytest

from benchmarks.peers import offline, over_http
from benchmarks.peers.offline import BUDGETS, PRECISIONS, RETORT, Contender, contenders

MIX = "mixed"


def test_each_engine_counts_with_its_best_budget_against_retort_in_the_same_precision() -> None:
    rates = {
        (Contender(RETORT, "bfloat16", 0), MIX): [100.0, 110.0, 90.0],
        (Contender(RETORT, "float32", 0), MIX): [30.0, 30.0, 30.0],
        (Contender("OpenVINO", "bfloat16", 1024), MIX): [10.0, 10.0, 10.0],
        (Contender("OpenVINO", "bfloat16", 2048), MIX): [50.0, 50.0, 60.0],
        (Contender("ONNX Runtime", "int8", 1024), MIX): [60.0, 60.0, 60.0],
    }
    found = {(row.engine, row.precision): row for row in offline.rows(rates)}
    assert [row.engine for row in found.values()][:2] == [RETORT, RETORT]
    best = found["OpenVINO", "bfloat16"]
    assert (best.budget, best.texts_per_s, best.retort_over) == (2048, 50.0, 2.0)
    assert found["ONNX Runtime", "int8"].retort_over == 0.5
    assert offline.figures(list(found.values())) == {"engine_over_openvino_mixed": 2.0}


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_compared_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(offline, "cpu_multiplies_bfloat16", lambda: fast)
    found = contenders()
    assert ("bfloat16" in {each.precision for each in found}) == fast
    assert {each.engine for each in found} == {RETORT, *PRECISIONS}
    assert {each.budget for each in found if each.engine != RETORT} == {*BUDGETS}


def test_servers_are_compared_life_by_life() -> None:
    rates = {("Retort", 1): [10.0, 20.0, 30.0], ("LitServe", 1): [5.0, 5.0, 5.0]}
    rows = list(over_http.rows(rates))
    assert [(row.server, row.texts_per_s, row.retort_over) for row in rows] == [("Retort", 20, 1), ("LitServe", 5, 4)]
    assert over_http.figures(rows) == {"served_over_litserve_1": 4}
