"""What the report, the comparison and the list of suspects say where a text has any number of labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contract.artifact import Provenance
from encoders.tokenization import EncodedText
from harness.tiny_artifact import write_tiny_artifact
from training.artifact import held_out
from training.artifact.compare import Change, compare
from training.artifact.held_out import HeldOutAnswer
from training.artifact.report import write_report
from training.artifact.suspects import find_suspects
from training.cli.app import console
from training.data.batches import Examples
from training.data.data_report import report_on
from training.data.encoded import EncodedCorpus, label_marks
from training.data.split import Split
from training.data.table import Table
from training.evaluation.label_calibration import LabelScaling
from training.evaluation.label_sets import HeldOutSets, LabelDecision
from training.evaluation.labelling import MultiLabel
from training.evaluation.linear_head import LinearHead
from training.fit.frozen import Frozen
from training.fit.start import Start

LABELS = ("<i>", "python", "sql")
TRUE = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 1, 0]], np.int32)
LOGITS = np.array([[3, -3, -3], [-3, 3, -3], [-3, -3, -3], [-3, -3, 3]], np.float32)
TEXTS = ("first <b>", "second", "third", "fourth")


def held(logits: np.ndarray = LOGITS, thresholds: tuple[float, ...] = (0.5, 0.6, 0.7)) -> HeldOutSets:
    scaling = LabelScaling(1.0, np.array([1.0, 0.5, 1.0]), np.array([0.0, 0.25, 0.0]))
    decision = LabelDecision(scaling, np.array(thresholds, np.float32))
    return HeldOutSets(texts=TEXTS, labels=TRUE, logits=logits, decision=decision)


@dataclass(frozen=True)
class Shown:
    """What a page is made of."""

    name: str
    labels: tuple[str, ...]
    held: HeldOutSets
    metrics: dict[str, float]
    choices: tuple[str, ...]
    provenance: Provenance


@pytest.fixture
def shown() -> Shown:
    made = Provenance(created=datetime(2026, 11, 22, tzinfo=UTC), base_model="minilm", packages={}, duration_s=1.0)
    rivals = {"baseline_micro_f1": 0.125, "baseline_macro_f1": 0.25}
    return Shown("tiny", LABELS, held(), MultiLabel().metrics(held()) | rivals, ("pooling mean",), made)


def test_the_page_has_each_labels_threshold_and_scores_and_the_pairs_that_are_confused(
    shown: Shown, tmp_path: Path
) -> None:
    write_report(shown, None, None, tmp_path / "report", console)

    html = (tmp_path / "report" / "index.html").read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    # Of four labels two are found, and one is given wrongly.
    assert "57.1% micro F1" in text
    assert re.search(r"micro F1 0\.5714 \S+ … \S+ 0\.1250 macro F1 0\.5556 \S+ … \S+ 0\.2500", text)
    assert re.search(r"python 0\.6000 1\.0000 0\.5000 0\.6667 2 sql 0\.7000 0\.0000 0\.0000 0\.0000 1 ", text)
    assert "missed given instead texts python sql 1" in text
    assert "those of 1 labels are scaled and shifted" in text
    assert "fourth python sql python" in text
    assert "<i>" not in html
    assert "first &lt;b&gt;" not in html, "it is no mistake"
    assert "$" not in html
    assert (tmp_path / "report" / "reliability.png").exists()


def test_held_out_answers_keep_every_label(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    held_out.write(held(), LABELS, tmp_path / "report")

    found = held_out.read(tmp_path)

    assert found == [
        HeldOutAnswer(text, own, tuple(row))
        for text, own, row in zip(
            TEXTS, [("<i>",), ("python", "sql"), (), ("python",)], held().probabilities.tolist(), strict=True
        )
    ]


def test_what_a_manifest_says_gives_the_answers_that_were_scored() -> None:
    fields = held().manifest_fields

    scaled = [
        scale["scale"] * logit + scale["shift"]
        for scale, logit in zip(fields["label_calibration"], LOGITS[3], strict=True)
    ]

    assert fields["activation"] == "sigmoid"
    np.testing.assert_allclose(held().probabilities[3], 1 / (1 + np.exp(-np.array(scaled))), rtol=1e-5)
    assert held().predicted[3].tolist() == [
        int(score >= least) for score, least in zip(held().probabilities[3], fields["thresholds"], strict=True)
    ]


def test_two_versions_are_compared_by_texts_that_change_any_of_their_labels(tmp_path: Path) -> None:
    folders = []
    for number in range(2):
        folder = write_tiny_artifact(tmp_path, version=f"v{number}", labels=LABELS, thresholds=(0.5, 0.6, 0.7))
        (folder / "report").mkdir()
        changed = LOGITS.copy()
        changed[1, 2] += 6 * number
        held_out.write(held(changed), LABELS, folder / "report")
        folders.append(folder)

    found = compare(*folders)

    assert found.common == 4
    assert found.changes == [Change(text="second", label="python, sql", first="python", second="python, sql")]


def test_a_label_that_is_missing_and_one_that_is_too_many_are_suspect() -> None:
    generator = np.random.default_rng(0)
    names = ("a", "b")
    right = generator.integers(0, 2, (200, 2)).astype(np.int32)
    features = (np.hstack([4.0 * right - 2, np.ones((200, 2))]) + generator.normal(0, 0.3, (200, 4))).astype(np.float32)
    wrong = right.copy()
    wrong[0, 0] ^= 1
    wrong[1, 1] ^= 1
    sets = [tuple(name for name, mark in zip(names, row, strict=True) if mark) for row in wrong]
    texts = [f"text {number}" for number in range(200)]
    table = Table(texts=texts, label_sets=sets, dropped={}, several=True)
    nobody = np.empty(0, np.int64)
    data = EncodedCorpus(
        texts=texts,
        classes=names,
        examples=Examples([], label_marks(sets, names)),
        parts=Split(np.arange(200), nobody, nobody),
        places=[],
        report=report_on(table, [EncodedText(ids=np.ones(2, np.int32), length=2)] * 200, max_length=8),
    )
    head = LinearHead(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    start = Start(pooling="mean", strength=10.0, head=head, labelling=MultiLabel())

    found = find_suspects(data, Frozen(features, start))

    by_row = {suspect.row: suspect for suspect in found.rows if suspect.why == "other labels fit better"}
    assert {0, 1} <= by_row.keys()
    assert len(by_row) < 8
    for row in (0, 1):
        own, suggested = found.names[found.own[row]], found.names[by_row[row].suggested]
        assert own == (", ".join(sets[row]) or "(none)")
        assert suggested == (", ".join(n for n, mark in zip(names, right[row], strict=True) if mark) or "(none)")
