"""What the report shows of a model that gives a text any number of labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from scipy.special import expit

from training.artifact import plots
from training.artifact.findings import LONGEST_TEXT, MISTAKES, MOST_PAIRS, Findings, calibration
from training.artifact.html import picture, section, table
from training.artifact.trimmings import trimming
from training.evaluation.label_sets import (
    HeldOutSets,
    by_label,
    confused_labels,
    mark_reliability,
    named_sets,
    worst_set_mistakes,
)


def draw(held: HeldOutSets, folder: Path, console: Console) -> None:
    """The reliability diagram, unless it can't be drawn."""
    with trimming("reliability.png", console):
        bins = mark_reliability(expit(held.logits), held.labels), mark_reliability(held.probabilities, held.labels)
        plots.reliability(*bins, folder / "reliability.png")


def findings(
    held: HeldOutSets, labels: Sequence[str], metrics: Mapping[str, float], pictures: Collection[str]
) -> Findings:
    """Labels with their thresholds, confusions, calibration and mistakes."""
    scaled = int(((held.decision.scaling.scale != 1) | (held.decision.scaling.shift != 0)).sum())
    explained = (
        f"Logits are divided by the temperature {held.decision.scaling.temperature}, and those of {scaled} labels are "
        "scaled and shifted, by other texts: of the labels with a score of 0.9, 90% should be right."
    )
    return Findings(
        main="micro F1",
        compared={
            "micro F1": "micro_f1",
            "macro F1": "macro_f1",
            "precision": "micro_precision",
            "recall": "micro_recall",
            "texts with all labels right": "all_right",
        },
        sections=[
            section("By label", _by_label(held, labels)),
            section("Most confused", _pairs(held, labels)),
            calibration(metrics, explained, picture("reliability.png", "Reliability diagram", pictures)),
            section("Most confident mistakes", _mistakes(held, labels)),
        ],
    )


def _by_label(held: HeldOutSets, labels: Sequence[str]) -> str:
    rows = [
        (label, float(threshold), s.precision, s.recall, s.f1, s.texts)
        for label, threshold, s in zip(labels, held.decision.thresholds, by_label(held), strict=True)
    ]
    return table(("label", "threshold", "precision", "recall", "F1", "texts"), rows)


def _pairs(held: HeldOutSets, labels: Sequence[str]) -> str:
    pairs = confused_labels(held, MOST_PAIRS)
    return table(
        ("missed", "given instead", "texts"), [(labels[own], labels[said], count) for own, said, count in pairs]
    )


def _mistakes(held: HeldOutSets, labels: Sequence[str]) -> str:
    true, said = held.label_sets(labels), named_sets(held.predicted, labels)
    probabilities, thresholds = held.probabilities, held.decision.thresholds
    rows = [
        (
            held.texts[text][:LONGEST_TEXT],
            ", ".join(true[text]),
            ", ".join(said[text]),
            labels[label],
            float(probabilities[text, label]),
            float(thresholds[label]),
        )
        for text, label in worst_set_mistakes(held, MISTAKES)
    ]
    return table(("text", "labels", "predicted", "wrong about", "score", "threshold"), rows)
