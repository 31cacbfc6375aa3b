"""Long texts in windows, by a real worker and a real API, against plain numpy, alone and among many others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from contract import windows
from contract.artifact import MANIFEST
from contract.errors import BadArtifact
from contract.windows import LongReading, Windows
from harness.long_texts import long_logits, window_ids
from harness.reference_bert import logits, softmax
from harness.running_service import RunningService
from harness.tiny_artifact import LONG_TEXT, random_weights, tiny_architecture, tokenizer, write_tiny_artifact
from harness.truth import LABELS, MAX_LENGTH, TEMPERATURE, some_texts
from worker.engine.model import load
from worker.engine.precision import Precision

MOST = 40
WINDOWS = Windows(pooling="max", length=MAX_LENGTH, stride=20)
LONG = [" ".join(some_texts(100)[start : start + 12]) for start in range(0, 48, 12)]
SHORT = some_texts(300)

pytestmark = pytest.mark.timeout(300)


def running(models: Path, folder: Path, precision: Precision) -> RunningService:
    write_tiny_artifact(models, windows=WINDOWS)
    settings: dict[str, Any] = {
        "precision": precision, "device": "cpu", "cpu_threads": 1, "max_windows": MOST, "answer_cache_mb": 0,
        "max_text_chars": 2_000_000,
    }  # fmt: skip
    return RunningService(models, folder=folder, **settings)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("service"), "float32") as service:
        yield service


def ask(service: RunningService, texts: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    asked = {"texts": list(texts), "scores": True, **options}
    answer = httpx.post(f"{service.url}/predict?wait=60", json=asked, timeout=90)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["predictions"]
    return found


def among_others() -> list[str]:
    """The long texts, each before 75 short ones."""
    return [text for number, text in enumerate(SHORT) for text in (text, *LONG[number // 75 :][: number % 75 == 0])]


def scores(answer: dict[str, Any]) -> list[float]:
    return [answer["scores"][label] for label in LABELS]


def token_ids(text: str) -> list[int]:
    encode = tokenizer(MAX_LENGTH)
    encode.no_truncation()
    found: list[int] = encode.encode(text).ids
    return found


def expected(text: str, pooling: LongReading) -> list[float]:
    windows = WINDOWS.model_copy(update={"pooling": pooling})
    weights = random_weights(tiny_architecture(), len(LABELS), seed=0)
    found = long_logits(weights, tiny_architecture(), ids=token_ids(text), max_length=MAX_LENGTH, windows=windows)
    return [float(score) for score in softmax(found / TEMPERATURE)]


@pytest.mark.parametrize("pooling", [None, "mean", "max"])
def test_a_long_text_gets_the_pooled_scores_of_its_windows_alone_and_among_others(
    service: RunningService, pooling: LongReading | None
) -> None:
    options = {"long": pooling} if pooling else {}
    mixed = among_others()
    among = ask(service, mixed, **options)
    for text in LONG:
        [alone] = ask(service, [text], **options)
        together = among[mixed.index(text)]
        np.testing.assert_allclose(scores(alone), expected(text, pooling or "max"), atol=1e-5)
        np.testing.assert_allclose(scores(alone), scores(together), atol=1e-5)
        pieces = window_ids(token_ids(text), MAX_LENGTH, WINDOWS)
        assert (alone["windows"], alone["tokens"]) == (len(pieces), sum(map(len, pieces)))
        assert not alone["truncated"]


def test_in_bfloat16_a_long_text_gets_nearly_the_same_scores_alone_and_among_others(tmp_path: Path) -> None:
    with running(tmp_path / "models", tmp_path, "bfloat16") as service:
        mixed = among_others()
        among = ask(service, mixed)
        for text in LONG:
            [alone] = ask(service, [text])
            np.testing.assert_allclose(scores(alone), scores(among[mixed.index(text)]), atol=1e-3)


def test_a_text_that_the_model_reads_whole_has_the_same_answer_whatever_is_asked_for(service: RunningService) -> None:
    in_windows, cut = ask(service, SHORT, long="mean"), ask(service, SHORT, long="cut")
    for one, other in zip(in_windows, cut, strict=True):
        assert one.keys() == other.keys() == {"label", "score", "tokens", "truncated", "scores"}
        np.testing.assert_allclose(scores(one), scores(other), atol=1e-5)


def test_a_text_is_cut_off_when_that_is_asked_for(service: RunningService) -> None:
    [answer] = ask(service, LONG[:1], long="cut")
    assert (answer["tokens"], answer["truncated"], "windows" in answer) == (MAX_LENGTH, True, False)


@pytest.mark.parametrize("end", ["right", "left"])
@pytest.mark.parametrize("top_k", [1, 2])
def test_which_part_of_a_text_was_read_is_told_where_it_was_cut_off(
    service: RunningService, end: str, top_k: int
) -> None:
    asked = {"long": "cut", "truncate": end, "scores": top_k > 1, "top_k": top_k}
    text = f"🙂 {LONG[0]}"
    whole, cut = ask(service, ["list", text], **asked, span=True)
    begin, stop = cut.pop("span")
    assert [whole, cut] == ask(service, ["list", text], **asked)  # nothing else changes
    assert (begin == 0, stop == len(text)) == (end == "right", end == "left")
    [part, more] = ask(service, [text[begin:stop], text[: stop + 8] if begin == 0 else text[begin - 8 :]], **asked)
    assert (part["tokens"], part["truncated"], more["truncated"]) == (MAX_LENGTH, False, True)
    assert part["score"] == pytest.approx(cut["score"], abs=1e-5)


@pytest.mark.parametrize("end", ["right", "left"])
def test_a_text_of_a_million_characters_costs_what_its_bound_says_and_says_that_it_was_cut(
    service: RunningService, end: str
) -> None:
    [answer] = ask(service, ["list " * 200_000], truncate=end)
    assert (answer["windows"], answer["tokens"], answer["truncated"]) == (MOST, MOST * MAX_LENGTH, True)


def test_a_text_that_needs_more_windows_is_an_error_where_none_may_be_cut(service: RunningService) -> None:
    [answer] = ask(service, ["list " * 200_000], truncate="error")
    assert answer["error"]["code"] == "text-too-long"
    assert str(WINDOWS.reach(MOST)) in answer["error"]["detail"]


def test_a_golden_text_is_read_as_far_as_texts_are_learnt(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path, windows=WINDOWS)
    text = " ".join([*["list"] * WINDOWS.reach(windows.MOST), *some_texts(50)])
    weights = random_weights(tiny_architecture(), len(LABELS), seed=0)
    pieces = window_ids(token_ids(text), MAX_LENGTH, WINDOWS)[: windows.MOST]
    learnt = softmax(np.max([logits(weights, tiny_architecture(), piece) for piece in pieces], axis=0) / TEMPERATURE)
    assert np.abs(learnt - expected(text, "max")).max() > 0.1  # of all its windows
    document = json.loads((folder / MANIFEST).read_text())
    document["golden"][-1] = {"text": text, "probabilities": learnt.tolist()}
    (folder / MANIFEST).write_text(json.dumps(document))
    assert load(folder, "float32").manifest.golden[-1].text == text


def test_a_worker_proves_by_a_long_golden_text_that_it_pools_as_the_trainer_did(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path, windows=WINDOWS)
    assert load(folder, "float32").manifest.golden[-1].text == LONG_TEXT
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document | {"windows": document["windows"] | {"pooling": "mean"}}))
    with pytest.raises(BadArtifact, match="golden text"):
        load(folder, "float32")
