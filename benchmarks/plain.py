"""What the engine is compared with: bert-for-tf2 as a plain server runs it.

float32, every text padded to the model's maximum, batches of 32. `python -m benchmarks.plain ARTIFACT` is an arm.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.arm import serve
from contract.artifact import WEIGHTS, read_manifest
from encoders.tokenization import Ids, read_tokenizer
from training.bert_compat import tf
from training.fit.dropout import Drop, nothing_dropped
from training.fit.model import Classifier

BATCH = 32


class PaddedClassifier(Classifier):
    """The trainer's model with the forward pass of bert-for-tf2's own layer; the length of a batch must be static."""

    def states(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, length, hidden]"""
        return drop(self.bert([ids, tf.zeros_like(ids)])) * tf.cast(ids != 0, tf.float32)[:, :, None]


class Plain:
    """The trainer's Keras model of an artifact."""

    def __init__(self, artifact: Path) -> None:
        self._manifest = manifest = read_manifest(artifact)
        self.tokenizer = read_tokenizer(artifact, manifest.tokenizer, manifest.max_length)
        self._model = PaddedClassifier(manifest.architecture, len(manifest.labels))
        self._model.load(load_file(artifact / WEIGHTS))
        batch = tf.TensorSpec([BATCH, manifest.max_length], tf.int32)
        self._function = tf.function(self._probabilities, input_signature=[batch])

    def predict(self, texts: Sequence[Ids]) -> NDArray[np.float32]:
        """float32[texts, labels]: their probabilities."""
        starts = range(0, len(texts), BATCH)
        answers = [self._function(tf.constant(self._padded(texts[start : start + BATCH]))) for start in starts]
        return np.concatenate([answer.numpy() for answer in answers])[: len(texts)]

    def _padded(self, texts: Sequence[Ids]) -> NDArray[np.int32]:
        batch = np.zeros((BATCH, self._manifest.max_length), np.int32)
        for row, ids in zip(batch, texts, strict=False):
            row[: len(ids)] = ids
        return batch

    def _probabilities(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(self._model.logits(ids) / self._manifest.temperature)


def main() -> None:
    plain = Plain(Path(sys.argv[1]))
    serve(lambda texts: plain.predict([encoded.ids for encoded in plain.tokenizer.encode(texts)]))


if __name__ == "__main__":
    main()
