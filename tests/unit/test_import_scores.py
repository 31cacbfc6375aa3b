"""How an imported model is scored on labelled texts: half of them choose its bounds, the other half measures it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from contract.artifact import Provenance, verify
from harness.tiny_artifact import WORDS, random_weights, tiny_architecture
from tests.base_models import write_hugging_face
from training.artifact import held_out
from training.artifact.imported_scores import Evaluation, evaluate
from training.cli import app
from training.cli.app import console
from training.data.table import Table
from training.errors import BadData
from training.evaluation.calibration import Floats
from training.evaluation.label_sets import HeldOutSets

LABELS = ("java", "python", "sql")
SURE = 8.0
"""The model is right as often as if its logits were half as large."""


def table(label_sets: Sequence[tuple[str, ...]], several: bool) -> Table:
    texts = [f"{number} {' '.join(own)}" for number, own in enumerate(label_sets)]
    return Table(texts=texts, label_sets=list(label_sets), dropped={}, several=several)


def logits(texts: Sequence[str]) -> Floats:
    """Too sure of the labels that a text names, and wrong about every tenth text."""
    found = np.array([[SURE if label in text else -SURE for label in LABELS] for text in texts], np.float32)
    wrong = [int(text.split()[0]) % 10 == 0 for text in texts]
    found[wrong] = np.roll(found[wrong], 1, axis=1)
    return found


def evaluated(activation: str = "softmax") -> Evaluation:
    generator = np.random.default_rng(0)
    if activation == "softmax":
        return evaluate(
            table([(str(own),) for own in generator.choice(LABELS, 400)], False), LABELS, activation, logits
        )
    sets = [tuple(label for label in LABELS if generator.random() < 0.5) for _ in range(400)]
    return evaluate(table(sets, True), LABELS, activation, logits)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_one_half_calibrates_and_the_other_is_scored(activation: str) -> None:
    found = evaluated(activation)

    assert (found.calibrated_on, len(found.held.texts), found.metrics["test_texts"]) == (200, 200, 200)
    assert found.manifest_fields["temperature"] > 1.5
    assert found.metrics["calibration_error"] < found.metrics["calibration_error_raw"]
    assert found.manifest_fields["metrics"] == found.metrics


def test_a_model_of_one_label_gets_a_bound_for_review_and_one_of_several_gets_thresholds() -> None:
    one, several = evaluated("softmax"), evaluated("sigmoid")

    assert isinstance(several.held, HeldOutSets)
    assert len(several.manifest_fields["thresholds"]) == len(LABELS)
    assert "review_below" not in several.manifest_fields
    # All scores are alike, and 90% of the answers right: no bound leaves 95%.
    assert one.manifest_fields["review_below"] is None
    assert "no bound leaves answers of which 95.0% are right" in one.choices[0]
    assert "for the best F1" in several.choices[0]


def test_the_report_is_the_one_that_training_writes(tmp_path: Path) -> None:
    made = Provenance(created=datetime(2026, 11, 22, tzinfo=UTC), base_model="folder", packages={}, duration_s=1.0)
    evaluated().write_report("tickets", made, tmp_path, console)

    html = (tmp_path / "report" / "index.html").read_text()
    assert "Training report: tickets" in html
    assert "% accuracy" in html
    assert "Word counts" not in html
    assert "Learning" not in html
    assert (tmp_path / "report" / "held_out.jsonl").exists()


@pytest.mark.parametrize(
    ("label_sets", "several", "wrong"),
    [
        ([("java",), ("go",), ("rust",)], False, "no label 'go', 'rust'; it has java, python, sql"),
        ([("java",), ("java", "sql")], True, "can't be evaluated on a table with several"),
        ([("java",)], False, "a single text"),
    ],
)
def test_a_table_that_does_not_suit_the_labels_is_refused(
    label_sets: list[tuple[str, ...]], several: bool, wrong: str
) -> None:
    with pytest.raises(BadData, match=wrong):
        evaluate(table(label_sets, several), LABELS, "softmax", logits)


def test_a_model_of_several_labels_is_scored_on_a_table_with_one_a_text_too() -> None:
    found = evaluate(table([("java",), ("sql",)] * 40, False), LABELS, "sigmoid", logits)

    assert isinstance(found.held, HeldOutSets)
    assert found.held.labels.sum(axis=1).tolist() == [1] * 40


def test_a_model_of_several_labels_is_imported_with_thresholds_scores_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = {"id2label": dict(enumerate(LABELS)), "problem_type": "multi_label_classification"}
    folder = tmp_path / "classifier"
    write_hugging_face(folder, random_weights(tiny_architecture(), len(LABELS), seed=0), **several)
    words, generator = [word for word in WORDS if not word.startswith("##")], random.Random(1)
    rows = [(" ".join(generator.choices(words, k=5)), "|".join(generator.sample(LABELS, n % 3))) for n in range(60)]
    (tmp_path / "data.csv").write_text("post,tags\n" + "".join(f"{text},{tags}\n" for text, tags in rows))
    monkeypatch.setenv("RETORT_MODELS_DIR", str(tmp_path / "models"))

    done = CliRunner().invoke(
        app, ["import", str(folder), "--name", "tickets", "--evaluate", str(tmp_path / "data.csv")]
    )

    assert done.exit_code == 0, done.output
    assert re.search(r"several labels.*\nmicro F1 0\.\d+ on 30 texts", done.output)
    [version] = (tmp_path / "models" / "tickets").glob("2*")
    imported = verify(version)
    assert (imported.activation, len(imported.thresholds)) == ("sigmoid", 3)
    assert {"report/index.html", "report/held_out.jsonl", "report/reliability.png"} < imported.files.keys()
    assert len(held_out.read(version)) == 30
