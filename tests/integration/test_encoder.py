"""The encoder against Hugging Face's BERT on real weights, and against plain numpy on every kind of architecture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling
from encoders import reference
from encoders.precision import cpu_multiplies_bfloat16
from encoders.weights import arrange
from harness.process import ROOT
from harness.reference_bert import logits, probabilities
from harness.tiny_artifact import random_weights, tiny_architecture
from training.pretrained import minilm
from worker.engine.encoder import Encoder
from worker.engine.packing import Shape, lay_out, pack
from worker.engine.precision import Precision
from worker.engine.tensorflow_encoder import TensorFlowEncoder

REFERENCE = json.loads((Path(__file__).parents[1] / "golden/minilm_reference.json").read_bytes())
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "as_is": {},
    "tanh_gelu": {"num_hidden_layers": 1, "activation": "gelu_tanh"},
    "large_epsilon": {"num_hidden_layers": 1, "layer_norm_eps": 0.1},
    "one_head": {"num_hidden_layers": 1, "num_attention_heads": 1},
}
KINDS = ("oneDNN", "XLA", "OpenVINO")
"""TensorFlow's operations one by one, compiled as for a GPU, and OpenVINO's."""

FAST_BFLOAT16 = pytest.mark.skipif(not cpu_multiplies_bfloat16(), reason="this processor has no products of bfloat16")


def encoder_of(kind: str, *arguments: Any, **options: Any) -> Encoder:
    """The encoder of one kind; skips where its library has no build for this processor."""
    if kind != "OpenVINO":
        return TensorFlowEncoder(*arguments, compile_with_xla=kind == "XLA", **options)
    pytest.importorskip("openvino")
    from worker.engine.openvino_encoder import OpenVinoEncoder

    return OpenVinoEncoder(*arguments, **options)


def run(encoder: Encoder, texts: list[NDArray[np.int32]], shape: Shape) -> NDArray[np.float32]:
    """Probabilities of the texts, all packed into one batch."""
    plan = pack([len(ids) for ids in texts], shape, range(len(texts)))
    assert len(plan.places) == len(texts)
    found = encoder(lay_out(texts, plan))
    rows = found[[place.row for place in plan.places], [place.slot for place in plan.places]]
    return rows[:, : rows.shape[1] // 2]


def random_texts(generator: np.random.Generator, vocabulary: int) -> list[NDArray[np.int32]]:
    return [generator.integers(5, vocabulary, length).astype(np.int32) for length in (2, 33, 17, 64, 5, 11, 40, 3)]


@pytest.mark.parametrize(
    ("kind", "precision", "tolerance"),
    [
        ("oneDNN", "float32", 1e-6),
        ("oneDNN", "bfloat16", 2e-3),
        ("OpenVINO", "float32", 1e-6),
        pytest.param("OpenVINO", "bfloat16", 2e-3, marks=FAST_BFLOAT16),
    ],
)
def test_real_weights_give_hugging_faces_numbers(kind: str, precision: Precision, tolerance: float) -> None:
    pretrained = minilm.load()
    weights = {f"bert.{name}": tensor for name, tensor in pretrained.tensors.items()}
    dimensions = len(REFERENCE["texts"][0]["pooled"])
    weights["classifier.weight"] = np.eye(dimensions, pretrained.architecture.hidden_size, dtype=np.float32)
    weights["classifier.bias"] = np.zeros(dimensions, np.float32)
    texts = [np.array(text["ids"], np.int32) for text in REFERENCE["texts"]]
    classifier = arrange(weights, pretrained.architecture, "pooler")
    found = run(encoder_of(kind, classifier, pretrained.architecture, precision=precision), texts, Shape(8, 64))
    pooled = np.exp([text["pooled"] for text in REFERENCE["texts"]])
    np.testing.assert_allclose(found, pooled / pooled.sum(axis=1, keepdims=True), atol=tolerance)


@pytest.mark.parametrize("change", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_packed_texts_get_what_each_gets_alone_in_plain_numpy(change: dict[str, Any], kind: str) -> None:
    architecture = Architecture.model_validate(tiny_architecture().model_dump() | change)
    weights = random_weights(architecture, labels=3, seed=1)
    texts = random_texts(np.random.default_rng(2), architecture.vocab_size)
    encoder = encoder_of(kind, arrange(weights, architecture, "pooler"), architecture)
    expected = [probabilities(weights, architecture, ids.tolist()) for ids in texts]
    np.testing.assert_allclose(run(encoder, texts, Shape(4, 64)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_shape_is_counted_where_it_costs(kind: str) -> None:
    architecture = tiny_architecture()
    weights = arrange(random_weights(architecture, 3, seed=1), architecture, "pooler")
    encoder = encoder_of(kind, weights, architecture)
    texts = [np.full(9, 7, np.int32)]
    for shape in (Shape(1, 16), Shape(2, 64), Shape(1, 16), Shape(2, 64)):
        run(encoder, texts, shape)
    assert encoder.traces == {"oneDNN": 1, "XLA": 1 + 2, "OpenVINO": 2}[kind]


@pytest.mark.parametrize("pooling", ["pooler", "first", "mean"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_pooling_gives_what_plain_numpy_says(pooling: Pooling, activation: Any, kind: str) -> None:
    architecture = tiny_architecture().model_copy(update={"num_hidden_layers": 1})  # only the last one is read
    weights = arrange(random_weights(architecture, labels=3, seed=1), architecture, pooling)
    texts = random_texts(np.random.default_rng(2), architecture.vocab_size)
    encoder = encoder_of(kind, weights, architecture, activation=activation)
    expected = [reference.probabilities(reference.logits(weights, architecture, ids), activation) for ids in texts]
    np.testing.assert_allclose(run(encoder, texts, Shape(4, 64)), expected, atol=1e-5)


def test_the_reference_in_numpy_is_the_independent_one() -> None:
    architecture = tiny_architecture()
    weights = random_weights(architecture, labels=3, seed=1)
    for ids in random_texts(np.random.default_rng(2), architecture.vocab_size):
        found = reference.logits(arrange(weights, architecture, "pooler"), architecture, ids)
        np.testing.assert_allclose(found, logits(weights, architecture, ids.tolist()), atol=1e-5)


def test_signals_are_handled_after_openvino_has_let_go_of_a_model() -> None:
    pytest.importorskip("openvino")
    code = """
import signal, sys
from encoders.weights import arrange
from harness.tiny_artifact import random_weights, tiny_architecture
from worker.engine.openvino_encoder import OpenVinoEncoder

architecture = tiny_architecture()
OpenVinoEncoder(arrange(random_weights(architecture, 3, seed=1), architecture, "pooler"), architecture)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
signal.raise_signal(signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 3
