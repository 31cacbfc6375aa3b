"""How well a model tells texts of another kind from those of its own: by the distances that its workers compute, and by
the energy of its logits (Liu et al. 2020), which is what they might have computed instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from contract.artifact import read_manifest
from encoders import reference
from encoders.artifact_weights import read_classifier
from encoders.tokenization import read_tokenizer
from training.data.table import read_table

TEXTS = 1000
"""Of each kind, drawn at random where there are more: the reference computes them one by one."""


def aurocs(version: Path, own: Path, strange: Path) -> dict[str, float]:
    """`unfamiliar_auroc`, the chance that a text of the table `strange` is further from what was learnt than one of the
    table `own`, and `unfamiliar_auroc_energy`, that its energy is higher.

    version: the folder of an artifact that tells it.
    """
    from sklearn.metrics import roc_auc_score

    texts = [_drawn(read_table(table).texts) for table in (own, strange)]
    is_strange = [number for number, each in enumerate(texts) for _ in each]
    distances, energies = _measures(version, [text for each in texts for text in each])
    return {
        "unfamiliar_auroc": float(roc_auc_score(is_strange, distances)),
        "unfamiliar_auroc_energy": float(roc_auc_score(is_strange, energies)),
    }


def _drawn(texts: Sequence[str]) -> list[str]:
    order = np.random.default_rng(0).permutation(len(texts))[:TEXTS]
    return [texts[number] for number in order]


def _measures(version: Path, texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """The distance of each text, and its energy."""
    manifest = read_manifest(version)
    weights = read_classifier(version, manifest)
    if weights.means is None:
        raise SystemExit(f"{version}: does not tell unfamiliar texts")
    encoded = read_tokenizer(version, manifest.tokenizer, manifest.max_length).encode(texts)
    features = [reference.features(weights, manifest.architecture, text.ids, np.float32) for text in encoded]
    last = weights.head.classifier
    energies = [-float(logsumexp(last.weight @ each + last.bias)) for each in features]
    return [reference.distance(each, weights.means) for each in features], energies
