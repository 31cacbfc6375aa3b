"""Each family of encoders over BERT of the same size: through the engine, offline, by turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import artifacts
from benchmarks.arm import Arm
from contract.artifact import Architecture, FamilyName

ROUNDS = 5
FAMILIES: Mapping[FamilyName, Mapping[str, Any]] = {
    "bert": {},
    "roberta": {"position_offset": 2, "max_position_embeddings": 514},
    "electra": {},
    "distilbert": {"type_vocab_size": 0, "num_hidden_layers": 3},
    "albert": {"embedding_size": 128},
}
"""What each is in MiniLM's size: half the layers for DistilBERT, narrow embeddings and one shared layer for ALBERT."""


@dataclass(frozen=True)
class FamilySpeed:
    """Medians over the rounds."""

    family: str
    layers: int
    texts_per_s: float
    over_bert: float


def measure(models: Path, texts: Sequence[str], rounds: int = ROUNDS) -> list[FamilySpeed]:
    """Texts a second of each, in the precision that the engine chooses here."""
    sizes = {family: _sized(family) for family in FAMILIES}
    folders = {family: artifacts.write_random(models, architecture) for family, architecture in sizes.items()}
    seconds: dict[str, list[float]] = {family: [] for family in FAMILIES}
    with ExitStack() as stack:
        arms = {
            family: stack.enter_context(Arm("benchmarks.engine", str(folder), "auto"))
            for family, folder in folders.items()
        }
        for arm in arms.values():
            arm.seconds(texts)
        for _ in range(rounds):
            for family, arm in arms.items():
                seconds[family].append(arm.seconds(texts))
    return [
        FamilySpeed(
            family=family,
            layers=architecture.num_hidden_layers,
            texts_per_s=len(texts) / statistics.median(seconds[family]),
            over_bert=statistics.median(
                theirs / own for theirs, own in zip(seconds["bert"], seconds[family], strict=True)
            ),
        )
        for family, architecture in sizes.items()
    ]


def figures(rows: Sequence[FamilySpeed]) -> dict[str, float]:
    return {f"{row.family}_over_bert": row.over_bert for row in rows if row.family != "bert"}


def _sized(family: FamilyName) -> Architecture:
    from training.pretrained import minilm

    given = minilm.load().architecture.model_dump()
    return Architecture.model_validate({**given, "family": family, **FAMILIES[family]})
