"""Two versions side by side, from what their artifacts hold: no model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.artifact import Manifest, read_manifest
from contract.prediction import AnswerRule
from training.artifact import held_out

NONE = "(none)"


@dataclass(frozen=True)
class Score:
    name: str
    first: float
    second: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """A text that the two versions give different labels; where there are several, by commas."""

    text: str
    label: str
    """The true one."""
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    scores: list[Score]
    """The scores that both versions have."""
    common: int
    """Texts that both versions were scored on."""
    changes: list[Change]


def compare(first: Path, second: Path) -> Comparison:
    """Compare the artifacts in two folders. Raises BadArtifact when one has no readable manifest."""
    manifests = read_manifest(first), read_manifest(second)
    before, after = _predictions(first, manifests[0]), _predictions(second, manifests[1])
    common = before.keys() & after.keys()
    return Comparison(
        scores=[
            Score(name, value, manifests[1].metrics[name])
            for name, value in manifests[0].metrics.items()
            if name in manifests[1].metrics
        ],
        common=len(common),
        changes=[
            Change(text=text, label=label, first=before[text, label], second=after[text, label])
            for text, label in sorted(common)
            if before[text, label] != after[text, label]
        ],
    )


def _predictions(folder: Path, manifest: Manifest) -> dict[tuple[str, str], str]:
    """What the version says of each held-out text with its true labels."""
    rule = AnswerRule.of(manifest)
    return {
        (answer.text, _shown(answer.labels)): _shown(rule.chosen(answer.probabilities))
        for answer in held_out.read(folder)
    }


def _shown(labels: Sequence[str]) -> str:
    return ", ".join(sorted(labels)) or NONE
