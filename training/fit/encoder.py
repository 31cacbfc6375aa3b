"""A forward pass over the tokens of a batch alone, without their padding: any family's layers, on variables by name.

Texts of a batch differ in length, and a third of a padded batch of short ones is padding. Everything but attention is
computed on [tokens, hidden]; attention on [texts, heads, length, length]. Letters in shapes: T tokens, B texts, L the
length that they were padded to, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from contract.artifact import Architecture
from encoders.families import family_of
from training.bert_compat import ACTIVATIONS, tf
from training.data.batches import NO_TOKEN
from training.fit.dropout import Drop
from training.fit.gradients import attention, dense, gelu, layer_norm, pad, unpad

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
    """int32[B, L] → where its tokens lie; NO_TOKEN is padding."""
    real = tf.reshape(ids != NO_TOKEN, [-1])
    tokens = tf.cast(tf.where(real)[:, 0], tf.int32)
    number = tf.cumsum(tf.cast(real, tf.int32)) - 1
    padded = tf.where(real, number, tf.size(tokens))
    return Layout(tokens, padded, tf.cast(ids == NO_TOKEN, tf.float32)[:, None, None, :] * MASKED)


class TokenEncoder:
    """The encoder of an artifact, from variables by the artifact's names, linear weights as [in, out]."""

    def __init__(self, variables: Mapping[str, Any], architecture: Architecture, precision: str) -> None:
        """`precision` is that of the products."""
        self._variables, self._architecture = variables, architecture
        self._family, self._dtype = family_of(architecture), tf.as_dtype(precision)
        name = architecture.activation
        self._activation = gelu if name == "gelu" else ACTIVATIONS[name]

    def __call__(self, ids: Any, drop: Drop) -> Any:
        """int32[B, L] → float32[B, L, H], the last layer; 0 where padding is."""
        layout = layout_of(ids)
        state = self._embedded(ids, layout, drop)
        for layer in self._family.layers(self._architecture):
            state = self._layer(layer, state, layout, drop)
        shape = tf.shape(ids)
        return tf.reshape(pad(state, layout.tokens, layout.padded), [shape[0], shape[1], state.shape[-1]])

    def _embedded(self, ids: Any, layout: Layout, drop: Drop) -> Any:
        """float32[T, H]"""
        words = tf.gather(self._table("word"), tf.gather(tf.reshape(ids, [-1]), layout.tokens))
        places = layout.tokens % tf.shape(ids)[1] + self._architecture.position_offset
        summed = tf.gather(self._table("position"), places)
        if self._family.token_types:
            summed += self._table("token_type")[0]
        state = drop(self._normalized("embeddings.LayerNorm", words + summed))
        if self._architecture.embedding_size and self._family.projection:
            state = tf.cast(self._dense(state, *self._part(self._family.projection)), tf.float32)
        return state

    def _layer(self, layer: str, state: Any, layout: Layout, drop: Drop) -> Any:
        """float32[T, H] → float32[T, H]"""
        names = self._family.layer
        context = self._attended(layer, state, layout, drop)
        state = self._joined(f"{layer}.{names.attended}", f"{layer}.{names.attended_norm}", context, state, drop)
        inner = self._activation(self._dense(state, *self._part(f"{layer}.{names.inner}")))
        return self._joined(f"{layer}.{names.outer}", f"{layer}.{names.outer_norm}", inner, state, drop)

    def _joined(self, part: str, norm: str, output: Any, state: Any, drop: Drop) -> Any:
        """A block's output projected to [T, H], and added to what went into the block."""
        projected = tf.cast(self._dense(output, *self._part(part)), tf.float32)
        return self._normalized(norm, drop(projected) + state)

    def _attended(self, layer: str, state: Any, layout: Layout, drop: Drop) -> Any:
        """Scaled dot-product attention within each text: [T, H] → [T, H]"""
        names, heads = self._family.layer, self._architecture.num_attention_heads
        parts = [self._part(f"{layer}.{name}") for name in (names.query, names.key, names.value)]
        kernel, bias = (tf.concat(each, axis=-1) for each in zip(*parts, strict=True))  # one product is faster
        together = self._dense(state, kernel, bias)  # [T, 3 H]
        texts, length, size = tf.shape(layout.mask)[0], tf.shape(layout.mask)[3], state.shape[-1] // heads
        grid = tf.reshape(pad(together, layout.tokens, layout.padded), [texts, length, 3, heads, size])
        query, key, value = tf.unstack(tf.transpose(grid, [2, 0, 3, 1, 4]), num=3)  # [B, heads, L, size]
        mask = tf.cast(layout.mask, self._dtype)
        context = tf.transpose(attention(query * size**-0.5, key, value, mask, drop), [0, 2, 1, 3])
        return unpad(tf.reshape(context, [texts * length, -1]), layout.tokens, layout.padded)

    def _table(self, kind: str) -> Any:
        return self._variables[f"{self._family.prefix}embeddings.{kind}_embeddings.weight"]

    def _part(self, name: str) -> tuple[Any, Any]:
        """Weight and bias of a product, or of a layer norm."""
        place = f"{self._family.prefix}{name}"
        return self._variables[f"{place}.weight"], self._variables[f"{place}.bias"]

    def _dense(self, x: Any, kernel: Any, bias: Any) -> Any:
        return dense(*(tf.cast(each, self._dtype) for each in (x, kernel, bias)))

    def _normalized(self, norm: str, x: Any) -> Any:
        return layer_norm(x, *self._part(norm), self._architecture.layer_norm_eps)
