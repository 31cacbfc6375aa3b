"""What the report shows of a model that gives each text one label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from training.artifact import plots
from training.artifact.findings import LONGEST_TEXT, MISTAKES, MOST_PAIRS, Findings, calibration
from training.artifact.html import picture, section, table
from training.artifact.trimmings import trimming
from training.evaluation.calibration import reliability, softmax
from training.evaluation.evaluate import HeldOutPredictions, confused_pairs, confusion, per_class, worst_mistakes


def draw(held: HeldOutPredictions, labels: Sequence[str], folder: Path, console: Console) -> None:
    """The confusion matrix and the reliability diagram, each unless it can't be drawn."""
    with trimming("confusion.png", console):
        plots.confusion(confusion(held, len(labels)), labels, folder / "confusion.png")
    with trimming("reliability.png", console):
        bins = reliability(softmax(held.logits), held.labels), reliability(held.probabilities, held.labels)
        plots.reliability(*bins, folder / "reliability.png")


def findings(
    held: HeldOutPredictions, labels: Sequence[str], metrics: Mapping[str, float], pictures: Collection[str]
) -> Findings:
    """Labels, confusions, calibration and mistakes."""
    explained = (
        f"Logits are divided by the temperature {held.temperature}, fitted on other texts: "
        "a score of 0.9 should mean 90%."
    )
    return Findings(
        main="accuracy",
        compared={"accuracy": "accuracy", "macro F1": "macro_f1"},
        sections=[
            section("By label", _by_label(held, labels), picture("confusion.png", "Confusion matrix", pictures)),
            section("Most confused", _pairs(held, labels)),
            calibration(metrics, explained, picture("reliability.png", "Reliability diagram", pictures)),
            section("Most confident mistakes", _mistakes(held, labels)),
        ],
    )


def _by_label(held: HeldOutPredictions, labels: Sequence[str]) -> str:
    scores = per_class(held, len(labels))
    rows = [(label, s.precision, s.recall, s.f1, s.texts) for label, s in zip(labels, scores, strict=True)]
    return table(("label", "precision", "recall", "F1", "texts"), rows)


def _pairs(held: HeldOutPredictions, labels: Sequence[str]) -> str:
    pairs = confused_pairs(held, MOST_PAIRS)
    return table(("label", "predicted", "texts"), [(labels[true], labels[said], count) for true, said, count in pairs])


def _mistakes(held: HeldOutPredictions, labels: Sequence[str]) -> str:
    scores, predicted = held.probabilities.max(axis=-1), held.predicted
    rows = [
        (held.texts[index][:LONGEST_TEXT], labels[held.labels[index]], labels[predicted[index]], float(scores[index]))
        for index in worst_mistakes(held, MISTAKES)
    ]
    return table(("text", "label", "predicted", "score"), rows)
