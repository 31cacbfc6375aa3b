"""The weights of an artifact, checked against its manifest and calibrated as it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from contract.artifact import MEANS, WEIGHTS, Manifest
from contract.errors import BadModel
from encoders.tensors import check_tensors, classifier_shapes, read_tensors
from encoders.weights import ClassifierWeights, Floats, LinearWeights, arrange


def read_classifier(folder: Path, manifest: Manifest) -> ClassifierWeights:
    """The artifact's weights; their logits are calibrated. Raises BadModel, naming the tensor that is wrong.

    Raises it too when the model reads pairs of texts, which nothing here computes.
    """
    if manifest.inputs != "text":
        raise BadModel(f"{folder}: the model reads pairs of texts, which this release does not serve")
    path = folder / WEIGHTS
    expected = classifier_shapes(manifest.architecture, len(manifest.labels), manifest.pooling)
    tensors = check_tensors(read_tensors(path), expected, path)
    weights = calibrated(arrange(tensors, manifest.architecture, manifest.pooling), manifest)
    return dataclasses.replace(weights, means=_means(folder, manifest))


def _means(folder: Path, manifest: Manifest) -> Floats | None:
    """What the artifact needs to tell how far a text is from what was learnt; None where nothing asks for it."""
    if manifest.unfamiliar_above is None or manifest.unfamiliar is None:
        return None
    path = folder / (manifest.unfamiliar.file or "")
    if path == folder:
        raise BadModel(f"{folder}: the manifest names no file with the means that its `unfamiliar` needs")
    found = read_tensors(path)
    means = len(found[MEANS]) if MEANS in found and found[MEANS].ndim else 0
    return check_tensors(found, {MEANS: (max(means, 1), manifest.architecture.hidden_size)}, path)[MEANS]


def calibrated(weights: ClassifierWeights, manifest: Manifest) -> ClassifierWeights:
    """The weights whose logits are divided by the temperature, then scaled and shifted label by label."""
    labels = manifest.label_calibration
    scale = np.array([each.scale for each in labels] or [1.0] * len(manifest.labels), np.float32)
    scale /= np.float32(manifest.temperature)
    shift = np.array([each.shift for each in labels] or [0.0] * len(manifest.labels), np.float32)
    raw = weights.head.classifier
    classifier = LinearWeights(raw.weight * scale[:, None], raw.bias * scale + shift)
    return dataclasses.replace(weights, head=dataclasses.replace(weights.head, classifier=classifier))
