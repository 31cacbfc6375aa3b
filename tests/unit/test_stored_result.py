from __future__ import annotations

import json

import pytest

from contract.stored_result import DamagedResult, answers, answers_json, chunk_result, dumped, one_label, text_error

ANSWERS = (
    '{"label":"ja\\"va","score":0.75,"tokens":11,"truncated":false},'
    '{"label":"naïve","score":1e-06,"tokens":2,"truncated":true},'
    '{"error":{"code":"text-failed","detail":"a \\"predictions\\": with ]} brackets"}}'
)
GOLDEN = '{"version":"20261122t101500-3f2a9c","predictions":[' + ANSWERS + "]}"
"""A result as 0.1.0 wrote it. Jobs live for days: what reads and writes them may never need another."""


def test_a_result_is_written_in_these_bytes() -> None:
    written = [
        one_label(dumped('ja"va'), 0.75, 11, truncated=False),
        one_label(dumped("naïve"), 1e-06, 2, truncated=True),
        text_error("text-failed", 'a "predictions": with ]} brackets'),
    ]
    assert chunk_result("20261122t101500-3f2a9c", written) == GOLDEN


def test_its_answers_are_cut_out_of_it_as_they_are() -> None:
    assert answers_json(GOLDEN) == ANSWERS
    assert answers_json(chunk_result("v", [])) == ""


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 1), (1, 2), (1, 9), (2, 3), (3, 4)])
def test_the_answers_to_some_of_its_texts_are_cut_by_their_numbers(start: int, stop: int | None) -> None:
    assert answers(GOLDEN, start, stop) == json.loads(GOLDEN)["predictions"][start:stop]


@pytest.mark.parametrize("junk", ["", "junk", '{"predictions":7}', '{"version":"v"}', GOLDEN[:-2], GOLDEN[:60]])
def test_what_is_no_result_is_told_from_one(junk: str) -> None:
    with pytest.raises(DamagedResult):
        answers_json(junk)
