"""How labels are: one of them a text, or any number. Whatever depends on that is here, once for each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from training.data.split import Rows
from training.evaluation import baseline
from training.evaluation.calibration import calibrated_log_loss, helpful_temperature
from training.evaluation.evaluate import HeldOutPredictions, intervals, label_scores, lead, scores
from training.evaluation.label_calibration import fit_set_temperature, set_log_loss
from training.evaluation.label_sets import (
    HeldOutSets,
    LabelDecision,
    held_out_scores,
    set_intervals,
    set_lead,
    set_scores,
)
from training.evaluation.linear_head import Floats, Labels, LinearHead, fit_head, out_of_fold
from training.evaluation.one_vs_rest import fit_heads, out_of_fold_sets
from training.evaluation.review import USUAL_ACCURACY, chosen_review, fit_review_below
from training.evaluation.thresholds import chosen_thresholds

HeldOut = HeldOutPredictions | HeldOutSets
Known = tuple[Floats, Labels]
"""Logits of texts that were not learnt from, and their labels."""


class Labelling(Protocol):
    """`labels` are int32[texts], a class each, or int32[texts, classes], 1 for each that a text has.

    Of the labels that are learnt from every class occurs.
    """

    @property
    def label_axes(self) -> int:
        """Dimensions of `labels`, and of what their losses are weighted by."""

    @property
    def few_texts(self) -> int:
        """With fewer for validation, a model that is linear is calibrated out of fold on the training part."""

    def losses(self, labels: Any, logits: Any) -> Any:
        """TensorFlow's: of each text, or of each label of each text."""

    def class_weights(self, labels: Labels) -> Floats:
        """float32[classes]: how much more a rare label's texts are to count."""

    def batch_weights(self, rows: Floats, labels: Labels, classes: Floats) -> Floats:
        """What the losses are multiplied by, so that their sum is the batch's loss.

        rows: float32[texts], 0 for what only fills the batch; classes: float32[classes].
        """

    def validation_loss(self, logits: Floats, labels: Labels) -> float:
        """The log loss at the temperature that fits best: it compares models that are sure to different degrees."""

    def accuracy(self, logits: Floats, labels: Labels) -> float:
        """Share of the texts whose labels are right, all of them, before any threshold is chosen."""

    def fit_head(self, features: Floats, labels: Labels, strength: float, class_weights: Floats | None) -> LinearHead:
        """A linear head on frozen features; `strength` is the inverse penalty."""

    def out_of_fold(self, features: Floats, labels: Labels, strength: float, folds: int, seed: int) -> Floats:
        """float32[texts, classes]: logits of each text by a head that was fitted on the other folds."""

    def word_counts(
        self, train: Sequence[str], labels: Labels, parts: Sequence[Sequence[str]], seed: int
    ) -> list[Floats]:
        """Logits of the texts of each part by a linear model of word counts that was fitted on `train`."""

    def held_out(self, texts: Sequence[str], labels: Labels, logits: Floats, known: Known) -> Any:
        """Held-out texts with the logits of a model, which is calibrated, and decides, by what is known of others."""

    def groups(self, labels: Labels) -> list[Rows]:
        """The rows of the texts of each label, and of those that have none; only groups that have a text."""

    def metrics(self, held: Any) -> dict[str, float]:
        """Every score of the held-out texts, with its interval."""

    def rival_metrics(self, held: Any, rival: Any) -> Mapping[str, float]:
        """Scores of a rival on the same texts, and `lead`: by how many standard errors it is ahead."""

    def choices(self, held: Any, metrics: Mapping[str, float]) -> Sequence[str]:
        """Which answers hold, or are to be looked at, and what that is worth on the held-out texts, as lines."""


@dataclass(frozen=True)
class SingleLabel:
    """Each text has one of the labels: softmax, cross-entropy, accuracy."""

    sure: float = USUAL_ACCURACY
    """Share of the answers above the bound for review that are to be right."""
    label_axes: ClassVar[int] = 1
    few_texts: ClassVar[int] = 500

    def losses(self, labels: Any, logits: Any) -> Any:
        from training.bert_compat import tf

        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def class_weights(self, labels: Labels) -> Floats:
        """Inversely proportional to the class's frequency, with mean 1 over the texts."""
        counts = np.bincount(labels)
        return (len(labels) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)

    def batch_weights(self, rows: Floats, labels: Labels, classes: Floats) -> Floats:
        weights: Floats = rows * classes[labels]
        normalized: Floats = weights / weights.sum(dtype=np.float32)
        return normalized

    def validation_loss(self, logits: Floats, labels: Labels) -> float:
        return calibrated_log_loss(logits, labels)

    def accuracy(self, logits: Floats, labels: Labels) -> float:
        return float(np.mean(logits.argmax(axis=-1) == labels))

    def fit_head(self, features: Floats, labels: Labels, strength: float, class_weights: Floats | None) -> LinearHead:
        return fit_head(features, labels, int(labels.max()) + 1, strength, class_weights)

    def out_of_fold(self, features: Floats, labels: Labels, strength: float, folds: int, seed: int) -> Floats:
        return out_of_fold(features, labels, int(labels.max()) + 1, strength, folds, seed)

    def word_counts(
        self, train: Sequence[str], labels: Labels, parts: Sequence[Sequence[str]], seed: int
    ) -> list[Floats]:
        return baseline.logits(train, labels, parts, seed)

    def held_out(self, texts: Sequence[str], labels: Labels, logits: Floats, known: Known) -> HeldOutPredictions:
        temperature = helpful_temperature(*known)
        return HeldOutPredictions(
            texts=texts,
            labels=labels,
            logits=logits,
            temperature=temperature,
            review_below=fit_review_below(*known, temperature, self.sure),
        )

    def groups(self, labels: Labels) -> list[Rows]:
        return [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def metrics(self, held: HeldOutPredictions) -> dict[str, float]:
        return scores(held) | intervals(held, held.logits.shape[1])

    def rival_metrics(self, held: HeldOutPredictions, rival: HeldOutPredictions) -> Mapping[str, float]:
        ahead = lead(rival.predicted, held.predicted, held.labels)
        return {**label_scores(held.labels, rival.predicted), "lead": ahead}

    def choices(self, held: HeldOutPredictions, metrics: Mapping[str, float]) -> Sequence[str]:
        return [chosen_review(held.review_below, metrics, self.sure)]


@dataclass(frozen=True)
class MultiLabel:
    """Each text has any number of the labels: a sigmoid, a binary cross-entropy and a threshold for each."""

    precision: float | None = None
    """What the thresholds are to give; the best F1 if none is asked for."""
    label_axes: ClassVar[int] = 2
    few_texts: ClassVar[int] = 5000
    """More than one label a text needs: each label has its own threshold, and rare ones have few texts."""

    def losses(self, labels: Any, logits: Any) -> Any:
        from training.bert_compat import tf

        return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, logits.dtype), logits)

    def class_weights(self, labels: Labels) -> Floats:
        """Inversely proportional to the label's frequency where it is below the mean, 1 for the others."""
        counts = np.maximum(labels.sum(axis=0), 1)
        weights: Floats = np.maximum(counts.mean() / counts, 1.0).astype(np.float32)
        return weights

    def batch_weights(self, rows: Floats, labels: Labels, classes: Floats) -> Floats:
        weights: Floats = np.where(labels, classes, np.float32(1.0)) * rows[:, None]
        normalized: Floats = weights / rows.sum(dtype=np.float32)
        return normalized

    def validation_loss(self, logits: Floats, labels: Labels) -> float:
        return set_log_loss(logits, labels, fit_set_temperature(logits, labels))

    def accuracy(self, logits: Floats, labels: Labels) -> float:
        return float(((logits >= 0) == labels).all(axis=1).mean())

    def fit_head(self, features: Floats, labels: Labels, strength: float, class_weights: Floats | None) -> LinearHead:
        return fit_heads(features, labels, strength, class_weights)

    def out_of_fold(self, features: Floats, labels: Labels, strength: float, folds: int, seed: int) -> Floats:
        return out_of_fold_sets(features, labels, strength, folds, seed)

    def word_counts(
        self, train: Sequence[str], labels: Labels, parts: Sequence[Sequence[str]], seed: int
    ) -> list[Floats]:
        return baseline.set_logits(train, labels, parts, seed)

    def held_out(self, texts: Sequence[str], labels: Labels, logits: Floats, known: Known) -> HeldOutSets:
        decision = LabelDecision.fitted(*known, self.precision)
        return HeldOutSets(texts=texts, labels=labels, logits=logits, decision=decision)

    def groups(self, labels: Labels) -> list[Rows]:
        having = [*(labels.T == 1), ~labels.any(axis=1)]
        return [np.flatnonzero(each) for each in having if each.any()]

    def metrics(self, held: HeldOutSets) -> dict[str, float]:
        return held_out_scores(held) | set_intervals(held)

    def rival_metrics(self, held: HeldOutSets, rival: HeldOutSets) -> Mapping[str, float]:
        ahead = set_lead(rival.predicted, held.predicted, held.labels)
        return {**set_scores(held.labels, rival.predicted), "lead": ahead}

    def choices(self, held: HeldOutSets, metrics: Mapping[str, float]) -> Sequence[str]:
        return [chosen_thresholds(held.decision.thresholds, metrics, self.precision)]


SINGLE_LABEL = SingleLabel()


def labelling(several: bool, precision: float | None = None, sure: float = USUAL_ACCURACY) -> Labelling:
    """The way of a table, or of a model, where a text may have `several` labels or has one.

    precision: what thresholds of several labels are to give; sure: of one label, what the bound for review is to give.
    """
    return MultiLabel(precision) if several else SingleLabel(sure)
