"""Scores of a model that gives a text any number of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.evaluation.calibration import BINS, Bin, Floats, binned_error
from training.evaluation.evaluate import RESAMPLES, ClassScores, bootstrap_bounds
from training.evaluation.label_calibration import LabelScaling, fit_scaling, set_log_loss
from training.evaluation.linear_head import Labels
from training.evaluation.thresholds import choose_thresholds

Counts = NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class LabelDecision:
    """How logits become scores, and from which score on each label holds."""

    scaling: LabelScaling
    thresholds: Floats

    @classmethod
    def fitted(cls, logits: Floats, marks: Labels, precision: float | None) -> LabelDecision:
        """On texts that were not learnt from; with a `precision` for that, else for the best F1."""
        scaling = fit_scaling(logits, marks)
        return cls(scaling, choose_thresholds(scaling.probabilities(logits), marks, precision))

    def marks(self, logits: Floats) -> Labels:
        """int32[texts, labels], 1 for each label that is given to a text."""
        held: Labels = (self.scaling.probabilities(logits) >= self.thresholds).astype(np.int32)
        return held


@dataclass(frozen=True, kw_only=True)
class HeldOutSets:
    """Held-out texts that have any number of labels, with what the model said of them."""

    texts: Sequence[str]
    labels: Labels
    """int32[texts, labels], 1 for each label that a text has."""
    logits: Floats
    decision: LabelDecision

    @property
    def probabilities(self) -> Floats:
        """float32[texts, labels], calibrated."""
        return self.calibrated(self.logits)

    def calibrated(self, logits: Floats) -> Floats:
        """What the model's logits for other texts come to."""
        return self.decision.scaling.probabilities(logits)

    @property
    def predicted(self) -> Labels:
        """int32[texts, labels], 1 for each label whose score reaches its threshold."""
        return self.decision.marks(self.logits)

    @property
    def is_calibrated(self) -> bool:
        scaling = self.decision.scaling
        return scaling.temperature != 1.0 or scaling.of_labels

    @property
    def manifest_fields(self) -> Mapping[str, Any]:
        """What a manifest says of how the scores are computed and read."""
        scaling = self.decision.scaling
        own = zip(scaling.scale.tolist(), scaling.shift.tolist(), strict=True) if scaling.of_labels else ()
        return {
            "activation": "sigmoid",
            "temperature": scaling.temperature,
            "label_calibration": [{"scale": scale, "shift": shift} for scale, shift in own],
            "thresholds": [round(float(threshold), 4) for threshold in self.decision.thresholds],
        }

    def label_sets(self, labels: Sequence[str]) -> list[tuple[str, ...]]:
        """The true labels of each text, by name."""
        return named_sets(self.labels, labels)


def named_sets(marks: Labels, labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The labels that each row marks."""
    return [tuple(label for label, mark in zip(labels, row, strict=True) if mark) for row in marks]


def set_scores(labels: Labels, predicted: Labels) -> dict[str, float]:
    """F1 over all labels of all texts, F1 averaged over the labels that occur, precision and recall over all, and the
    share of the texts that get just their labels."""
    return _from_counts(*_counts(labels, predicted)) | {"all_right": float((labels == predicted).all(axis=1).mean())}


def held_out_scores(held: HeldOutSets) -> dict[str, float]:
    """`set_scores`, and calibration before (`_raw`) and after scaling."""
    raw, probabilities = expit(held.logits), held.probabilities.astype(np.float64)
    loss = np.where(
        held.labels, -np.log(np.maximum(probabilities, 1e-12)), -np.log1p(-np.minimum(probabilities, 1 - 1e-7))
    )
    return {
        **set_scores(held.labels, held.predicted),
        "log_loss": float(loss.sum() / len(loss)),
        "log_loss_raw": set_log_loss(held.logits, held.labels),
        "calibration_error": mark_calibration_error(probabilities, held.labels),
        "calibration_error_raw": mark_calibration_error(raw, held.labels),
    }


def set_intervals(held: HeldOutSets, seed: int = 0) -> dict[str, float]:
    """95% bootstrap intervals of what `set_scores` has, as `<score>_low` and `<score>_high`."""
    labels, predicted, texts = held.labels, held.predicted, len(held.texts)
    drawn = _drawn(texts, seed)
    counts = [drawn @ each.astype(np.float32) for each in (labels & predicted, predicted, labels)]
    all_right = (drawn @ (labels == predicted).all(axis=1) / texts).tolist()
    resampled = [{**_from_counts(*each), "all_right": share} for *each, share in zip(*counts, all_right, strict=True)]
    return bootstrap_bounds(set_scores(labels, predicted), resampled)


def _drawn(texts: int, seed: int) -> Floats:
    """float32[RESAMPLES, texts]: how often each text is in each of so many samples of as many texts."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(texts, np.full(texts, 1 / texts), RESAMPLES).astype(np.float32)


def set_lead(rival: Labels, own: Labels, labels: Labels, seed: int = 0) -> float:
    """By how many standard errors the rival's F1 over all labels is higher, on the same texts (paired bootstrap)."""
    sums = [np.stack(_text_counts(labels, each)).astype(np.float32) for each in (rival, own)]
    drawn = _drawn(len(labels), seed).T
    differences = np.subtract(*(_f1(*(each @ drawn)) for each in sums))
    spread = float(differences.std())
    difference = float(np.subtract(*(_f1(*each.sum(axis=1)) for each in sums)))
    return difference / spread if spread > 0 else 0.0


def by_label(held: HeldOutSets) -> list[ClassScores]:
    """Precision, recall, F1 and the number of texts of each label, by its number."""
    right, said, having = _counts(held.labels, held.predicted)
    return [
        ClassScores(precision=float(p), recall=float(r), f1=float(f), texts=int(n))
        for p, r, f, n in zip(_share(right, said), _share(right, having), _f1(right, said, having), having, strict=True)
    ]


def confused_labels(held: HeldOutSets, most: int) -> list[tuple[int, int, int]]:
    """(label that a text has and did not get, label that it got and has not, texts), the most frequent pair first."""
    missed, wrong = held.labels & ~held.predicted & 1, held.predicted & ~held.labels & 1
    counts = missed.astype(np.int64).T @ wrong
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), counts.shape[1]) for place in order]
    return [(first, second, int(counts[first, second])) for first, second in pairs if counts[first, second]]


def worst_set_mistakes(held: HeldOutSets, count: int) -> list[tuple[int, int]]:
    """(text, label) of the wrong decisions whose score is furthest beyond the label's threshold, worst first."""
    wrong = held.labels != held.predicted
    distance = np.where(wrong, np.abs(held.probabilities - held.decision.thresholds), -1.0)
    order = np.argsort(-distance, axis=None, kind="stable")[:count]
    return [divmod(int(place), distance.shape[1]) for place in order if distance.flat[place] >= 0]


def mark_calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Mean distance between score and share of texts that have the label, over bins of all scores."""
    return binned_error(probabilities.ravel(), labels.ravel() == 1)


def mark_reliability(probabilities: Floats, labels: Labels) -> list[Bin]:
    """The scores of all labels of all texts, in intervals of equal width: how high, and how many of the labels hold."""
    scores, marks = probabilities.ravel(), labels.ravel()
    numbers = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(scores[inside].mean()), float(marks[inside].mean()))
        for inside in (numbers == number for number in range(BINS))
        if inside.any()
    ]


def _counts(labels: Labels, predicted: Labels) -> tuple[Counts, Counts, Counts]:
    """int64[labels] each: texts that rightly get the label, that get it, that have it."""
    return (labels & predicted).sum(axis=0), predicted.sum(axis=0), labels.sum(axis=0)


def _text_counts(labels: Labels, predicted: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """int64[texts] each: labels that the text rightly gets, that it gets, that it has."""
    return (labels & predicted).sum(axis=1), predicted.sum(axis=1), labels.sum(axis=1)


def _from_counts(right: Counts, said: Counts, having: Counts) -> dict[str, float]:
    occurs = said + having > 0
    micro = right.sum(), said.sum(), having.sum()
    return {
        "micro_f1": float(_f1(*micro)),
        "macro_f1": float(_f1(right, said, having)[occurs].mean()) if occurs.any() else 0.0,
        "micro_precision": float(_share(micro[0], micro[1])),
        "micro_recall": float(_share(micro[0], micro[2])),
    }


def _f1(right: Any, said: Any, having: Any) -> Any:
    return _share(2 * right, said + having)


def _share(part: Any, whole: Any) -> Any:
    """0 where there is nothing."""
    return part / np.maximum(whole, 1)
