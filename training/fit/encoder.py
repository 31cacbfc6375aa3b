"""A forward pass over the tokens of a batch alone: bert-for-tf2's layers and weights, without their padding.

Texts of a batch differ in length, and a third of a padded batch of short ones is padding. Everything but attention is
computed on [tokens, hidden]; attention on [texts, heads, length, length]. Letters in shapes: T tokens, B texts, L the
length that they were padded to, H hidden.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from contract.artifact import Architecture
from training.bert_compat import ACTIVATIONS, tf
from training.fit.dropout import Drop
from training.fit.gradients import dense, gelu, layer_norm, pad, unpad

MASKED = -10000.0


class Layout(NamedTuple):
    """Where the tokens of padded ids lie."""

    tokens: Any
    """int32[T]: places of the tokens in the padded batch, which has B x L."""
    padded: Any
    """int32[B x L]: number of the token at each place; T where there is none."""
    mask: Any
    """float32[B, 1, 1, L], to be added to scores."""


def layout_of(ids: Any) -> Layout:
    """int32[B, L] → where its tokens lie; id 0 is padding."""
    real = tf.reshape(ids != 0, [-1])
    tokens = tf.cast(tf.where(real)[:, 0], tf.int32)
    number = tf.cumsum(tf.cast(real, tf.int32)) - 1
    padded = tf.where(real, number, tf.size(tokens))
    return Layout(tokens, padded, tf.cast(ids == 0, tf.float32)[:, None, None, :] * MASKED)


class TokenEncoder:
    """The computation of a `bert.BertModelLayer`, which holds the variables."""

    def __init__(self, bert: Any, architecture: Architecture, precision: str) -> None:
        """`precision` is that of the products."""
        self._bert, self._heads, self._dtype = bert, architecture.num_attention_heads, tf.as_dtype(precision)
        name = architecture.activation
        self._activation = gelu if name == "gelu" else ACTIVATIONS[name]

    def __call__(self, ids: Any, drop: Drop) -> Any:
        """int32[B, L] → float32[B, L, H], the last layer; 0 where padding is."""
        layout = layout_of(ids)
        state = self._embedded(ids, layout, drop)
        for layer in self._bert.encoders_layer.encoder_layers:
            state = self._layer(layer, state, layout, drop)
        shape = tf.shape(ids)
        return tf.reshape(pad(state, layout.tokens, layout.padded), [shape[0], shape[1], state.shape[-1]])

    def _embedded(self, ids: Any, layout: Layout, drop: Drop) -> Any:
        """float32[T, H]"""
        part = self._bert.embeddings_layer
        words = tf.gather(part.word_embeddings_layer.embeddings, tf.gather(tf.reshape(ids, [-1]), layout.tokens))
        positions = tf.gather(part.position_embeddings_layer.embedding_table, layout.tokens % tf.shape(ids)[1])
        types = part.token_type_embeddings_layer.embeddings[0]
        return drop(_normalized(part.layer_norm_layer, words + (positions + types)))

    def _layer(self, layer: Any, state: Any, layout: Layout, drop: Drop) -> Any:
        """float32[T, H] → float32[T, H]"""
        attention = layer.self_attention_layer
        context = self._attended(attention.attention_layer, state, layout, drop)
        state = self._joined(attention.attention_projector, context, state, drop)
        between = layer.intermediate_layer
        inner = self._activation(self._dense(state, between.kernel, between.bias))
        return self._joined(layer.output_projector, inner, state, drop)

    def _joined(self, part: Any, output: Any, state: Any, drop: Drop) -> Any:
        """A block's output projected to [T, H], and added to what went into the block."""
        projected = tf.cast(self._dense(output, part.dense.kernel, part.dense.bias), tf.float32)
        return _normalized(part.layer_norm, drop(projected) + state)

    def _attended(self, part: Any, state: Any, layout: Layout, drop: Drop) -> Any:
        """Scaled dot-product attention within each text: [T, H] → [T, H]; the softmax in float32."""
        parts = part.query_layer, part.key_layer, part.value_layer
        kernel = tf.concat([each.kernel for each in parts], axis=1)  # one product is faster than three
        together = self._dense(state, kernel, tf.concat([each.bias for each in parts], axis=0))  # [T, 3 H]
        texts, length, size = tf.shape(layout.mask)[0], tf.shape(layout.mask)[3], state.shape[-1] // self._heads
        grid = tf.reshape(pad(together, layout.tokens, layout.padded), [texts, length, 3, self._heads, size])
        query, key, value = tf.unstack(tf.transpose(grid, [2, 0, 3, 1, 4]), num=3)  # [B, heads, L, size]
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) * size**-0.5 + layout.mask
        weights = drop(tf.cast(tf.nn.softmax(scores), self._dtype))
        context = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return unpad(tf.reshape(context, [texts * length, -1]), layout.tokens, layout.padded)

    def _dense(self, x: Any, kernel: Any, bias: Any) -> Any:
        return dense(*(tf.cast(each, self._dtype) for each in (x, kernel, bias)))


def _normalized(norm: Any, x: Any) -> Any:
    return layer_norm(x, norm.gamma, norm.beta, norm.params.epsilon)
