"""Training on texts with several labels each: learnt, published, served as it was scored."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from contract.artifact import Manifest, verify
from contract.model_store import ModelStore
from contract.prediction import AnswerRule
from harness.running_service import RunningService
from harness.tiny_artifact import WORDS
from tests.base_models import write_hugging_face
from tests.training_command import run_here
from training.artifact import held_out

pytestmark = pytest.mark.timeout(600)

LABELS = ("java", "python", "sql")
OTHER_WORDS = [word for word in WORDS if word not in LABELS and not word.startswith("##")]
OPTIONS = (
    "--epochs 3 --batch-size 8 --learning-rate 0.003 --max-length 32 --buckets 2 --validation 0.2 --test 0.2 "
    "--precision float32"
)
NEAR = 1e-3
"""A score this close to its threshold may fall to either side: the engine packs texts."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model, and texts that name their labels: often one, sometimes none or several."""
    folder = tmp_path_factory.mktemp("several")
    write_hugging_face(folder / "bert")
    generator = random.Random(1)
    with (folder / "data.csv").open("w") as file:
        print("post,tags", file=file)
        for _ in range(300):
            own = [label for label in LABELS if generator.random() < 0.4]
            words = [*generator.choices(OTHER_WORDS, k=generator.randrange(1, 20)), *own]
            print(f"{' '.join(generator.sample(words, len(words)))},{'|'.join(own)}", file=file)
    return folder


class Trained(NamedTuple):
    told: str
    artifact: Path


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    data = ["--data", str(folder / "data.csv"), "--base", str(folder / "bert"), "--name", "tiny"]
    told, reader = run_here(folder, "train", *data, *OPTIONS.split(), "--force"), ModelStore(folder / "models")
    return Trained(told, reader.path("tiny", reader.current("tiny")))


@pytest.fixture(scope="module")
def manifest(trained: Trained) -> Manifest:
    return verify(trained.artifact)


@pytest.fixture(scope="module")
def service(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings: dict[str, Any] = {"precision": "float32", "device": "cpu", "cpu_threads": 1}
    with RunningService(trained.artifact.parents[1], folder=tmp_path_factory.mktemp("service"), **settings) as service:
        yield service


def test_several_labels_are_seen_learnt_and_reported(trained: Trained, manifest: Manifest) -> None:
    assert "several labels a text, divided by '|': 0 to 3 of 3" in trained.told
    assert "for the best F1: on the held-out texts precision" in trained.told
    assert "unfamiliar above a distance of" in trained.told
    assert "loss cross-entropy: a text may have several labels" in trained.told
    assert (manifest.labels, manifest.activation, len(manifest.thresholds)) == (LABELS, "sigmoid", 3)
    assert manifest.metrics["micro_f1"] > 0.7
    assert manifest.metrics["baseline_micro_f1"] > 0.9
    assert {"frozen_macro_f1", "baseline_lead", "all_right", "micro_precision_low"} < manifest.metrics.keys()
    assert {"report/index.html", "report/held_out.jsonl", "report/suspects.csv"} < manifest.files.keys()
    assert "micro F1" in (trained.artifact / "report" / "index.html").read_text()


def test_the_service_gives_the_texts_that_were_held_out_the_labels_that_were_scored(
    service: RunningService, trained: Trained, manifest: Manifest
) -> None:
    answers, rule = held_out.read(trained.artifact), AnswerRule.of(manifest)
    body = {"texts": [answer.text for answer in answers], "scores": True}
    found = httpx.post(f"{service.url}/predict?wait=60", json=body, timeout=90).raise_for_status().json()["predictions"]

    assert len(found) == len(answers) > 50
    for served, answer in zip(found, answers, strict=True):
        scores = dict(zip(LABELS, answer.probabilities, strict=True))
        assert served["scores"] == pytest.approx(scores, abs=2e-4)
        sure = {
            label
            for label, threshold in zip(LABELS, manifest.thresholds, strict=True)
            if abs(scores[label] - threshold) > NEAR
        }
        assert sure & {one["label"] for one in served["labels"]} == sure & set(rule.chosen(answer.probabilities))
    assert {len(served["labels"]) for served in found} >= {0, 1, 2}
    unfamiliar = sum("unfamiliar" in served for served in found)
    assert unfamiliar == pytest.approx(manifest.metrics["unfamiliar_share"] * len(found), abs=1)
