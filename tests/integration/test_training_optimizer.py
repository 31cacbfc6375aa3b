from __future__ import annotations

import numpy as np
import pytest

from training.bert_compat import keras, tf
from training.fit.optimizer import DECAY_EVERY, EPSILON, AdamW, clip, learning_rate

GENERATOR = np.random.default_rng(1)
DENSE, BIAS, TABLE = GENERATOR.normal(size=(4, 3)), GENERATOR.normal(size=3), GENERATOR.normal(size=(6, 2))


def test_dense_updates_equal_keras_adam() -> None:
    own = {"dense.weight": tf.Variable(DENSE, dtype=tf.float32), "dense.bias": tf.Variable(BIAS, dtype=tf.float32)}
    reference = [tf.Variable(DENSE, dtype=tf.float32), tf.Variable(BIAS, dtype=tf.float32, name="bias")]
    optimizer = AdamW(own, weight_decay=0.1)
    # Keras adds epsilon before the bias correction as TensorFlow's kernel does.
    keras_optimizer = keras.optimizers.Adam(0.01, epsilon=EPSILON)

    for step in range(5):
        gradients = [tf.constant(np.sin(DENSE + step), tf.float32), tf.constant(np.cos(BIAS + step), tf.float32)]
        optimizer.apply(gradients, tf.constant(0.01))
        keras_optimizer.apply_gradients(zip(gradients, reference, strict=True))

    for variable, expected in zip(own.values(), reference, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_a_decay_is_that_of_the_steps_between_two_and_spares_biases_and_rows() -> None:
    names = {"dense.weight": DENSE, "dense.bias": BIAS, "embeddings.word_embeddings.weight": TABLE}
    own = {name: tf.Variable(values, dtype=tf.float32) for name, values in names.items()}

    AdamW(own, weight_decay=0.1, rates={"dense": 2.0}).decay(tf.distribute.get_strategy(), tf.constant(0.01))

    shrunk = own["dense.weight"].numpy()
    np.testing.assert_allclose(shrunk, DENSE * (1 - 0.01 * 2.0 * 0.1) ** DECAY_EVERY, rtol=1e-3)
    np.testing.assert_array_equal(own["dense.bias"].numpy(), BIAS.astype(np.float32))
    np.testing.assert_array_equal(own["embeddings.word_embeddings.weight"].numpy(), TABLE.astype(np.float32))


def test_rows_of_a_table_are_updated_as_if_they_were_whole_variables() -> None:
    rows = [1, 4, 1]  # the second row twice: its gradients add up
    values = GENERATOR.normal(size=(3, 2))
    table = {"table": tf.Variable(TABLE, dtype=tf.float32)}
    alone = {"row": tf.Variable(TABLE[1], dtype=tf.float32)}
    of_table, of_row = AdamW(table, weight_decay=0.0), AdamW(alone, weight_decay=0.0)

    for _ in range(3):
        of_table.apply([tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows))], tf.constant(0.01))
        of_row.apply([tf.constant(values[0] + values[2], tf.float32)], tf.constant(0.01))

    found = table["table"].numpy()
    np.testing.assert_allclose(found[1], alone["row"].numpy(), rtol=1e-5)
    np.testing.assert_array_equal(found[[0, 2, 3, 5]], TABLE[[0, 2, 3, 5]].astype(np.float32))


def test_a_row_decays_when_it_is_touched() -> None:
    rows = tf.IndexedSlices(tf.constant([[0.5, 0.5]]), tf.constant([1]))
    variables = [{"table": tf.Variable(TABLE, dtype=tf.float32)} for _ in range(2)]
    for own, decay in zip(variables, (0.1, 0.0), strict=True):
        AdamW(own, weight_decay=decay).apply([rows], tf.constant(0.01))

    decayed, kept = (own["table"].numpy() for own in variables)
    np.testing.assert_allclose(kept - decayed, [[0, 0], TABLE[1] * 0.001, *[[0, 0]] * 4], atol=1e-6)


def test_gradients_are_scaled_to_the_bound_on_their_norm() -> None:
    clipped = clip([tf.constant([3.0, 0.0]), tf.constant([[4.0]])], norm=1.0)

    np.testing.assert_allclose(clipped[0].numpy(), [0.6, 0])
    np.testing.assert_allclose(clipped[1].numpy(), [[0.8]])


def test_gradients_within_the_bound_stay_as_they_are() -> None:
    rows = tf.IndexedSlices(tf.constant([[0.3]]), tf.constant([2]), tf.constant([5, 1]))

    dense, table = clip([tf.constant([0.4]), rows], norm=1.0)

    assert (dense.numpy().tolist(), table.values.numpy().tolist()) == ([np.float32(0.4)], [[np.float32(0.3)]])
    assert table.indices.numpy().tolist() == [2]


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [learning_rate(step, steps=10, warmup=0.2, peak=8.0) for step in range(10)]

    assert rates == pytest.approx([4, 8, 8, 7, 6, 5, 4, 3, 2, 1])


def test_without_warmup_the_first_step_has_the_peak() -> None:
    assert learning_rate(0, steps=10, warmup=0.0, peak=8.0) == 8
