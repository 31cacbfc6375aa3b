"""The tensors of an artifact's weights: names and shapes as in Hugging Face's BertForSequenceClassification."""

from __future__ import annotations

from contract.artifact import Architecture

Shapes = dict[str, tuple[int, ...]]

ENCODER_PREFIX = "bert."
CLASSIFIER = "classifier"


def classifier_shapes(architecture: Architecture, labels: int) -> Shapes:
    """Every tensor of an artifact: the encoder and the pooler under `bert.`, and the classifier."""
    encoder = {ENCODER_PREFIX + name: shape for name, shape in encoder_shapes(architecture).items()}
    return encoder | _linear(CLASSIFIER, labels, architecture.hidden_size)


def encoder_shapes(architecture: Architecture) -> Shapes:
    """The tensors of a pretrained BertModel, pooler included, without prefix; linear weights are [out, in]."""
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (architecture.vocab_size, hidden),
        "embeddings.position_embeddings.weight": (architecture.max_position_embeddings, hidden),
        "embeddings.token_type_embeddings.weight": (architecture.type_vocab_size, hidden),
    }
    shapes |= _layer_norm("embeddings.LayerNorm", hidden)
    for number in range(architecture.num_hidden_layers):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{layer}.attention.{part}", hidden, hidden)
        shapes |= _layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
        shapes |= _linear(f"{layer}.intermediate.dense", inner, hidden)
        shapes |= _linear(f"{layer}.output.dense", hidden, inner)
        shapes |= _layer_norm(f"{layer}.output.LayerNorm", hidden)
    return shapes | _linear("pooler.dense", hidden, hidden)


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _layer_norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
