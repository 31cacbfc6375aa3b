"""bert-for-tf2's layer is the reference BERT: held to numbers of two independent implementations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.artifact import Architecture
from harness import reference_bert, tiny_artifact
from tests.base_models import random_head
from training.bert_compat import tf
from training.data.batches import NO_TOKEN
from training.fit.dropout import Drop, Dropout
from training.fit.encoder import MASKED
from training.fit.gradients import attention
from training.fit.model import Classifier
from training.pretrained import minilm
from training.pretrained.base_model import BaseModel

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/minilm_reference.json").read_bytes())
TEXTS = [each["text"] for each in GOLDEN["texts"]]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return minilm.load()


@pytest.fixture(scope="module")
def states(base: BaseModel) -> NDArray[np.float32]:
    """float32[texts, length, hidden] of the golden texts, padded to one batch as in the reference."""
    ids = [each["ids"] for each in GOLDEN["texts"]]
    padded = np.full((len(ids), max(map(len, ids))), NO_TOKEN, np.int32)
    for row, text in enumerate(ids):
        padded[row, : len(text)] = text
    found: NDArray[np.float32] = _with_weights(base, "float32").states(tf.constant(padded)).numpy()
    return found


def _with_weights(base: BaseModel, precision: str) -> Classifier:
    model = Classifier(base.architecture, 2, precision=precision)
    tensors = {f"bert.{name}": tensor for name, tensor in base.tensors.items()}
    model.load(tensors | random_head(base.architecture, 2, seed=0))
    return model


def test_texts_become_the_ids_that_hugging_face_gives_them(base: BaseModel) -> None:
    encoded = base.text_tokenizer(max_length=64).encode(TEXTS)

    assert [text.ids.tolist() for text in encoded] == [each["ids"] for each in GOLDEN["texts"]]


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_states_of_a_padded_batch_equal_hugging_faces(states: NDArray[np.float32], number: int) -> None:
    expected = GOLDEN["texts"][number]
    own = states[number, : len(expected["ids"])]

    np.testing.assert_allclose(own[0, :8], expected["first_token"], atol=5e-6)
    np.testing.assert_allclose(own[-1, :8], expected["last_token"], atol=5e-6)
    np.testing.assert_allclose(own.mean(axis=0)[:8], expected["mean_over_tokens"], atol=5e-6)


def test_pooled_output_equals_hugging_faces(base: BaseModel, states: NDArray[np.float32]) -> None:
    weight, bias = base.tensors["pooler.dense.weight"], base.tensors["pooler.dense.bias"]

    pooled = np.tanh(states[:, 0] @ weight.T + bias)

    expected = [each["pooled"] for each in GOLDEN["texts"]]
    np.testing.assert_allclose(pooled[:, :8], expected, atol=5e-6)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"activation": "gelu_tanh"},
        {"layer_norm_eps": 1e-2},
        {"num_attention_heads": 8},
    ],
    ids=["as_is", "tanh_gelu", "large_epsilon", "more_heads"],
)
def test_classifier_equals_the_plain_numpy_bert_for_every_architecture(change: dict[str, Any]) -> None:
    architecture = Architecture.model_validate(tiny_artifact.tiny_architecture().model_dump() | change)
    weights = tiny_artifact.random_weights(architecture, labels=3, seed=1)
    model = Classifier(architecture, 3)
    model.load(weights)
    texts = [[2, 9, 11, 3], [2, 40, 3], [2, *range(20, 30), 3]]

    for length in (12, 16):  # the same variables, two static lengths
        padded = tf.constant([text + [NO_TOKEN] * (length - len(text)) for text in texts])
        expected = [reference_bert.logits(weights, architecture, text) for text in texts]
        np.testing.assert_allclose(model.logits(padded).numpy(), expected, atol=2e-5)


def test_weights_that_go_in_come_out() -> None:
    architecture = tiny_artifact.tiny_architecture()
    weights = tiny_artifact.random_weights(architecture, labels=3, seed=2)
    model = Classifier(architecture, 3)

    model.load(weights)

    found = model.tensors()
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


def test_bfloat16_products_give_nearly_the_same_logits(base: BaseModel) -> None:
    ids = tf.constant([GOLDEN["texts"][1]["ids"]])

    exact = _with_weights(base, "float32").states(ids).numpy()
    rounded = _with_weights(base, "bfloat16").states(ids).numpy()

    assert 0 < np.abs(exact - rounded).max() < 0.05


PADDED = tf.constant([[2, 9, 11, 3, *[NO_TOKEN] * 3], [2, 20, 21, 22, 23, 24, 3], [NO_TOKEN] * 7])
AS_THE_LAYER_READS_IT = [tf.maximum(PADDED, 0), tf.zeros_like(PADDED)]


def _tiny(**change: Any) -> Classifier:
    architecture = Architecture.model_validate(tiny_artifact.tiny_architecture().model_dump() | change)
    model = Classifier(architecture, 3)
    model.load(tiny_artifact.random_weights(architecture, labels=3, seed=1))
    return model


def test_padding_is_left_out_of_what_the_layer_of_bert_for_tf2_computes() -> None:
    model = _tiny()
    real = PADDED.numpy() != NO_TOKEN

    own, layers = model.states(PADDED).numpy(), model.bert(AS_THE_LAYER_READS_IT).numpy()

    np.testing.assert_allclose(own[real], layers[real], atol=2e-5)
    assert not own[~real].any()


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_gradients_are_those_of_the_layer_of_bert_for_tf2(activation: str) -> None:
    model = _tiny(activation=activation)
    real = tf.cast(PADDED != NO_TOKEN, tf.float32)[:, :, None]
    weights = tf.random.stateless_normal([*PADDED.shape, 1], [1, 1]) * real

    def gradients(states: Callable[[], Any]) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(states()) * weights)
        return [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, model.bert.trainable_variables)]

    own = gradients(lambda: model.states(PADDED))
    layers = gradients(lambda: model.bert(AS_THE_LAYER_READS_IT))

    for found, expected in zip(own, layers, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_dropout_depends_on_seed_and_step_alone() -> None:
    model = _tiny()

    def logits(seed: int, step: int) -> list[float]:
        drop = Dropout(0.5, seed, tf.constant(step, tf.int64))
        first: list[float] = model.logits(PADDED, drop).numpy()[0].tolist()
        return first

    assert logits(1, 1) == logits(1, 1)
    assert logits(1, 1) != logits(1, 2)
    assert logits(1, 1) != logits(2, 1)


def test_dropout_drops_its_share_other_numbers_each_time_and_keeps_the_mean() -> None:
    drop = Dropout(0.1, 1, tf.constant(1, tf.int64))
    ones = tf.ones([333, 331])

    first, second = drop(ones).numpy(), drop(ones).numpy()

    assert np.mean(first == 0) == pytest.approx(0.1, abs=0.005)
    assert first.mean() == pytest.approx(1.0, abs=0.005)
    assert np.mean((first == 0) & (second == 0)) == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_attention_and_its_gradient_are_those_that_tensorflow_derives(rate: float) -> None:
    query, key, value = (tf.random.stateless_normal([2, 3, 5, 4], [seed, 1]) for seed in range(3))
    mask = tf.constant([[0, 0, 0, 0, 0], [0, 0, 0, MASKED, MASKED]], tf.float32)[:, None, None, :]

    def plain(drop: Drop) -> Any:
        return tf.matmul(drop(tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + mask)), value)

    def with_gradients(context: Callable[[Drop], Any]) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch([query, key, value])
            found = context(Dropout(rate, 1, tf.constant(1, tf.int64)))
            loss = tf.reduce_sum(tf.sin(found))
        return [found, *tape.gradient(loss, [query, key, value])]

    own, derived = with_gradients(lambda drop: attention(query, key, value, mask, drop)), with_gradients(plain)

    for found, expected in zip(own, derived, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_weights_are_not_frozen_even_if_a_worker_started_the_training() -> None:
    asked = """
from training.bert_compat import tf

weights, bias = tf.Variable(tf.ones([64, 64])), tf.Variable(tf.zeros([64]))
product = tf.function(lambda x: tf.nn.bias_add(tf.matmul(x, weights), bias))
ones = tf.ones([64, 64])
product(ones)
weights.assign(2 * weights)
print(float(product(ones)[0, 0]))
"""
    variables = os.environ | {"TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"}
    done = subprocess.run([sys.executable, "-c", asked], env=variables, capture_output=True, text=True, check=True)
    assert float(done.stdout) == 128
