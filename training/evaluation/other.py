"""How well a model tells the texts that have none of its other labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.evaluation.evaluate import HeldOutPredictions, per_class
from training.evaluation.labelling import HeldOut


def other_scores(held: HeldOut, labels: Sequence[str], other: str | None) -> dict[str, float]:
    """Precision and recall of the label `other` on the held-out texts; nothing where there is no such label."""
    if other is None or not isinstance(held, HeldOutPredictions):
        return {}
    found = per_class(held, len(labels))[labels.index(other)]
    return {"other_precision": found.precision, "other_recall": found.recall, "other_texts": float(found.texts)}


def learnt_other(other: str | None, metrics: Mapping[str, float]) -> list[str]:
    """Which label says that a text has none of the others, and how well it does on the held-out texts, as a line."""
    if other is None or "other_texts" not in metrics:
        return []
    return [
        f"other {other!r}: none of the other labels; of {metrics['other_texts']:.0f} such texts held out "
        f"{metrics['other_recall']:.1%} are told, of the answers that say so {metrics['other_precision']:.1%} are right"
    ]
