"""What is wrong with the data is found where it was put."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from rich.console import Console
from sklearn.linear_model import Ridge

from encoders.tokenization import EncodedText
from tests.unit.test_training_linear_head import clouds
from training.artifact.suspects import FILE, write_suspects
from training.artifact.trimmings import trimming
from training.data.batches import Examples
from training.data.data_report import report_on
from training.data.encoded import EncodedCorpus
from training.data.split import Split
from training.data.table import RowOrigin, one_label_table
from training.evaluation.left_out import LOGITS, PENALTY, left_out_logits
from training.evaluation.linear_head import LinearHead
from training.evaluation.suspects import mergeable_labels, near_duplicates, quality_of_labels, wrong_labels
from training.fit.frozen import Frozen
from training.fit.start import Start

CLASSES, EACH = 8, 60


def test_most_labels_that_were_swapped_are_at_the_head_of_the_list() -> None:
    features, right = clouds(CLASSES, EACH)
    generator = np.random.default_rng(3)
    swapped = generator.permutation(len(right))[: len(right) // 20]
    labels = right.copy()
    labels[swapped] = (right[swapped] + generator.integers(1, CLASSES, len(swapped))) % CLASSES

    probabilities, quality = quality_of_labels(features, labels, CLASSES)

    first = np.argsort(quality)[: len(swapped)]
    assert len(set(first) & set(swapped)) >= 0.7 * len(swapped)
    suspects = wrong_labels(probabilities, labels, quality)
    found = [suspect for suspect in suspects if suspect.row in set(swapped)]
    assert len(found) >= 0.7 * len(swapped)
    assert np.mean([suspect.suggested == right[suspect.row] for suspect in found]) > 0.8
    assert [suspect.quality for suspect in suspects] == sorted(suspect.quality for suspect in suspects)


def test_what_is_said_of_a_text_is_what_a_model_fitted_without_it_says() -> None:
    features, labels = clouds(3, each=10)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    extended = np.concatenate([unit, np.ones((30, 1))], axis=1)

    found = left_out_logits(features, labels, 3)

    for row in (0, 11, 29):
        others = np.arange(30) != row
        truth = Ridge(alpha=PENALTY, fit_intercept=False).fit(extended[others], np.eye(3)[labels[others]])
        np.testing.assert_allclose(found[row], LOGITS * truth.predict(extended[[row]])[0], atol=1e-3)


def test_texts_that_are_nearly_the_same_with_other_labels_are_named() -> None:
    features, labels = clouds(3, each=4)
    features[5], labels[5] = features[0] * 1.01, 1
    texts = [f"text {number}" for number in range(12)]

    found = near_duplicates(features, labels, texts, np.zeros(12))

    assert {suspect.row for suspect in found} == {0, 5}
    assert {suspect.suggested for suspect in found} == {0, 1}
    assert any("text 5" in suspect.why for suspect in found)


def test_labels_that_are_exchanged_are_one_to_ask_about() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2], np.int32)
    probabilities = np.eye(3, dtype=np.float32)[[1, 0, 0, 1, 2, 2]]

    (merge,) = mergeable_labels(probabilities, labels)

    assert (merge.first, merge.second, merge.share) == (0, 1, 0.5)


def _corpus() -> tuple[EncodedCorpus, Frozen]:
    features, labels = clouds(3, each=20)
    wrong = labels.copy()
    wrong[0] = 2
    texts = [f'text "{number}", [/b]' for number in range(60)]
    names = ("$", "[/b]", "c")
    encoded = [EncodedText(ids=np.ones(2, np.int32), length=2)] * len(texts)
    report = report_on(one_label_table(texts, [names[label] for label in wrong]), encoded, max_length=8)
    nobody = np.empty(0, np.int64)
    data = EncodedCorpus(
        texts=texts,
        classes=names,
        examples=Examples([], wrong),
        parts=Split(np.arange(60), nobody, nobody),
        report=report,
        places=[RowOrigin("tickets.csv", 2 * number + 2) for number in range(60)],
    )
    start = Start(
        pooling="mean", strength=10.0, head=LinearHead(np.zeros((3, 16), np.float32), np.zeros(3, np.float32))
    )
    return data, Frozen(features, start)


def test_the_file_can_be_read_again_and_names_the_lines_of_the_table(tmp_path: Path) -> None:
    data, frozen = _corpus()
    told = io.StringIO()

    write_suspects(data, frozen, tmp_path, Console(file=told, markup=False))

    rows = list(csv.DictReader((tmp_path / FILE).open(encoding="utf-8", newline="")))
    first = [rows[0][name] for name in ("file", "line", "text", "label", "suggested")]
    assert first == ["tickets.csv", "2", data.texts[0], "c", "$"]
    assert f"{len(rows)} rows may have a wrong label" in told.getvalue()


def test_a_fault_in_a_trimming_is_told_and_goes_no_further() -> None:
    told = io.StringIO()

    with trimming("the picture", Console(file=told, markup=False)):
        raise RuntimeError("no ink [/b]")

    assert "the picture could not be made" in told.getvalue()
    assert "no ink [/b]" in told.getvalue()
