"""The pictures of the training report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.evaluation.calibration import Bin
from training.fit.checkpoint import Epoch

DPI = 110
MOST_NUMBERS = 25
"""With more classes than this the numbers in the matrix are too small to read."""


def confusion(counts: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """`counts` int64[classes, classes], true by predicted; the shade is the share of the true class's texts."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.38 * len(classes)
    figure = Figure(figsize=(size, size))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes, rotation=90)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted", ylabel="true")
    if len(classes) <= MOST_NUMBERS:
        for row, column in np.argwhere(counts):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade, fontsize=8)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")


def reliability(before: Sequence[Bin], after: Sequence[Bin], path: Path) -> None:
    """Accuracy by score, before and after temperature scaling; on the diagonal a score of 0.9 means 90%."""
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    for bins, label, color in ((before, "before scaling", "tab:orange"), (after, "after scaling", "tab:blue")):
        scores, accuracies = [each.confidence for each in bins], [each.accuracy for each in bins]
        sizes = [20 + 300 * each.count / sum(other.count for other in bins) for each in bins]
        axes.plot(scores, accuracies, color=color, linewidth=1)
        axes.scatter(scores, accuracies, s=sizes, color=color, alpha=0.6, label=label)
    axes.set(xlabel="score", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=DPI, bbox_inches="tight")


def learning(losses: Sequence[float], history: Sequence[Epoch], path: Path) -> None:
    """Training loss by step, smoothed; validation loss and accuracy by epoch."""
    steps = len(losses) / max(len(history), 1)
    ends = [steps * (epoch.epoch + 1) for epoch in history]
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    window = max(len(losses) // 50, 1)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(np.arange(len(smooth)) + window, smooth, color="tab:orange", label="training loss")
    axes.plot(ends, [epoch.validation_loss for epoch in history], "o-", color="tab:blue", label="validation loss")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    right = axes.twinx()
    accuracies = [epoch.validation_accuracy for epoch in history]
    right.plot(ends, accuracies, "s--", color="tab:green", label="validation accuracy")
    right.set(ylabel="accuracy", ylim=(0, 1))
    figure.legend(loc="upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
