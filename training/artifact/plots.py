"""The pictures of the training report."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from training.evaluation.calibration import Bin
from training.fit.checkpoint import Epoch

DPI = 110
MOST_NUMBERS = 25
"""With more classes than this the numbers in the matrix are too small to read."""
MOST_CLASSES = 60
"""A matrix of more than these can't be read; a table of the most confused pairs says more."""
LONGEST_LABEL = 40
INVISIBLE = frozenset({"Cc", "Cf", "Mn", "Zs", "Zl", "Zp"})
"""Unicode's categories of controls, marks and spaces: no font needs to have them."""


def confusion(counts: NDArray[np.int64], classes: Sequence[str], path: Path) -> bool:
    """`counts` int64[classes, classes], true by predicted; the shade is the share of the true class's texts.

    Returns false, and draws nothing, where there are too many classes or no font has their letters.
    """
    if len(classes) > MOST_CLASSES or (families := _fonts_for("".join(classes))) is None:
        return False
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.38 * len(classes)
    figure = Figure(figsize=(size, size))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    shown = [_shortened(label) for label in classes]
    # Labels are text, whatever signs they hold: `$` begins no formula.
    literal: dict[str, Any] = {"parse_math": False, "fontfamily": families}
    axes.set_xticks(range(len(classes)), shown, rotation=90, **literal)
    axes.set_yticks(range(len(classes)), shown, **literal)
    axes.set(xlabel="predicted", ylabel="true")
    if len(classes) <= MOST_NUMBERS:
        for row, column in np.argwhere(counts):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade, fontsize=8)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    return True


def _shortened(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _fonts_for(letters: str) -> list[str] | None:
    """Installed fonts that together have all these letters, the usual one first; none if some letter has no font."""
    wanted = {ord(letter) for letter in letters if unicodedata.category(letter) not in INVISIBLE}
    chosen: list[str] = []
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.name != "DejaVu Sans"):
        if not wanted:
            break
        if (
            entry.name not in chosen
            and "LastResort" not in entry.fname
            and (found := wanted & _letters_of(entry.fname))
        ):
            chosen.append(entry.name)
            wanted -= found
    return None if wanted else chosen or ["DejaVu Sans"]


@functools.cache
def _letters_of(font: str) -> frozenset[int]:
    return frozenset(FT2Font(font).get_charmap())


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
    if losses:
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
