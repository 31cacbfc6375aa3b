"""Supervised contrastive learning (Khosla et al. 2020, arXiv:2004.11362), as SetFit uses it where texts are few.

Texts of a label are drawn together and others apart. Five texts a label teach more so than by their labels alone:
every batch has hundreds of pairs.
"""

from __future__ import annotations

from typing import Any

from training.bert_compat import tf

TEMPERATURE = 0.1
NEVER = -1e9


def contrastive_loss(features: Any, labels: Any, weights: Any) -> Any:
    """Mean over float32[texts, hidden] by `weights`; rows of weight 0 are no text.

    The loss of a text is that of picking one of its label, by cosine, among all the other texts of the batch.
    """
    unit = tf.math.l2_normalize(features, axis=1)
    others = tf.cast(weights > 0, tf.float32)[None, :] * (1.0 - tf.eye(tf.shape(unit)[0]))
    cosines = tf.matmul(unit, unit, transpose_b=True) / TEMPERATURE + (1.0 - others) * NEVER
    picked = cosines - tf.reduce_logsumexp(cosines, axis=1, keepdims=True)
    same = tf.cast(labels[:, None] == labels[None, :], tf.float32) * others
    losses = -tf.reduce_sum(same * picked, axis=1) / tf.maximum(tf.reduce_sum(same, axis=1), 1.0)
    return tf.reduce_sum(losses * weights)
