"""A model that gives a text any number of labels, long ones in windows, by a real worker and API, against numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from contract.windows import Windows
from harness.long_texts import long_logits
from harness.reference_bert import sigmoid
from harness.running_service import RunningService
from harness.tiny_artifact import random_weights, tiny_architecture, tokenizer, write_tiny_artifact
from harness.truth import LABELS, MAX_LENGTH, TEMPERATURE, some_texts

THRESHOLDS = (0.9, 0.3, 0.6)
WINDOWS = Windows(pooling="mean", length=MAX_LENGTH, stride=20)
TEXTS = [*some_texts(100), *(" ".join(some_texts(100)[start : start + 12]) for start in range(0, 48, 12))]
NEAR = 1e-3
"""A score this close to its threshold may fall to either side: the engine computes in float32."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    models = tmp_path_factory.mktemp("models")
    write_tiny_artifact(models, thresholds=THRESHOLDS, windows=WINDOWS)
    settings: dict[str, Any] = {"precision": "float32", "device": "cpu", "cpu_threads": 1}
    with RunningService(models, folder=tmp_path_factory.mktemp("service"), **settings) as service:
        yield service


@pytest.fixture(scope="module")
def expected() -> list[Mapping[str, float]]:
    """The score of each label of each text."""
    weights, encode = random_weights(tiny_architecture(), len(LABELS), seed=0), tokenizer(MAX_LENGTH)
    encode.no_truncation()
    rows = [
        long_logits(weights, tiny_architecture(), ids=encode.encode(text).ids, max_length=MAX_LENGTH, windows=WINDOWS)
        for text in TEXTS
    ]
    return [dict(zip(LABELS, map(float, sigmoid(row / TEMPERATURE)), strict=True)) for row in rows]


def ask(service: RunningService, **options: Any) -> list[dict[str, Any]]:
    answer = httpx.post(f"{service.url}/predict?wait=60", json={"texts": TEXTS, **options}, timeout=90)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["predictions"]
    return found


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_each_text_gets_the_labels_that_reach_their_thresholds(
    service: RunningService, expected: list[Mapping[str, float]], threshold: float | None
) -> None:
    least = dict(zip(LABELS, THRESHOLDS if threshold is None else [threshold] * len(LABELS), strict=True))
    found = ask(service, **({} if threshold is None else {"threshold": threshold}))
    for answer, scores in zip(found, expected, strict=True):
        held = [one["label"] for one in answer["labels"]]
        sure = {label for label, score in scores.items() if abs(score - least[label]) > NEAR}
        assert sure.intersection(held) == {label for label in sure if scores[label] >= least[label]}
        assert [one["score"] for one in answer["labels"]] == sorted(
            (one["score"] for one in answer["labels"]), reverse=True
        )
        assert all(one["score"] == pytest.approx(scores[one["label"]], abs=2e-4) for one in answer["labels"])
    assert [answer.get("windows", 1) > 1 for answer in found] == [False] * 100 + [True] * 4
    assert len({len(answer["labels"]) for answer in found}) > 1, "every text has as many labels: nothing is shown"


def test_answers_that_the_worker_remembers_follow_the_threshold_of_the_request(service: RunningService) -> None:
    """The same texts were computed before; what is remembered of them are scores, not labels."""
    assert all(answer["labels"] == [] for answer in ask(service, threshold=1.0))
    assert all(len(answer["labels"]) == len(LABELS) for answer in ask(service, threshold=0.0))
