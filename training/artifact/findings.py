"""What a report shows of how good a model is, whichever way its labels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.artifact.html import section, table

LONGEST_TEXT = 400
MISTAKES = 20
MOST_PAIRS = 30


@dataclass(frozen=True)
class Findings:
    """The part of the page that depends on whether a text has one label or several."""

    main: str
    """The score that the page begins with."""
    compared: Mapping[str, str]
    """Scores that are set beside those of the rivals: what they are called, and their metric."""
    sections: Sequence[str]
    """HTML."""


def calibration(metrics: Mapping[str, float], explained: str, picture: str) -> str:
    """The section on what scores mean."""
    rows = [
        ("expected calibration error", metrics["calibration_error_raw"], metrics["calibration_error"]),
        ("log loss", metrics["log_loss_raw"], metrics["log_loss"]),
    ]
    return section("Calibration", f"<p>{explained}</p>", table(("", "before scaling", "after scaling"), rows), picture)
