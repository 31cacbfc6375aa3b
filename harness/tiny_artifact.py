"""Writes a whole, valid, tiny model artifact in milliseconds, without TensorFlow: random weights, real golden texts.

The vocabulary spells every ASCII word (whole words it knows, else letter by letter), and the weights are large enough
that different texts get clearly different scores: a test that mixes up two answers sees it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from contract.artifact import Architecture
from contract.windows import Windows
from harness.artifact import point_current_to, uncased_pipeline, uncased_tokenizer, write_artifact

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    "a an and array async bug button class code column compile error exception exit file for git how i in index is it "
    "java javascript join key list loop map merge my not null of on or pandas parse pointer print python query react "
    "regex return rows run select server sort split sql string table test the this throw to type update use value "
    "what when where why with write wrong ##s ##ed ##ing ##er ##ly"
)
WORDS = tuple(_WORDS.split())
LETTERS = tuple(string.ascii_lowercase + string.digits + string.punctuation)
CONTINUATIONS = tuple(f"##{letter}" for letter in string.ascii_lowercase + string.digits)
VOCABULARY_TOKENS = tuple(dict.fromkeys(SPECIAL + WORDS + LETTERS + CONTINUATIONS))
SPREADS = {"bert.embeddings.word_embeddings.weight": 0.8, "classifier.weight": 0.5}
GOLDEN_TEXTS = (
    "why is my code throwing a null pointer exception",
    "i wrote a loop that i can not exit",
    "sort a list in python!",
    "SELECT rows from a table with a join",
    "",
)
LONG_TEXT = " ".join(f"{text} {number}" for number, text in enumerate(GOLDEN_TEXTS * 3))


def write_tiny_artifact(
    models: Path,
    name: str = "tiny",
    version: str = "20260101t000000-000000",
    *,
    seed: int = 0,
    labels: Sequence[str] = ("java", "python", "sql"),
    max_length: int = 32,
    temperature: float = 1.5,
    thresholds: Sequence[float] | None = None,
    windows: Windows | None = None,
    current: bool = True,
) -> Path:
    """Write `models/name/version` and, unless `current` is false, make it the current one. Returns its folder.

    thresholds: one per label, of a model that gives a text any number of labels; None for one label a text.
    """
    folder = write_artifact(
        models,
        name=name,
        version=version,
        architecture=tiny_architecture(),
        weights=random_weights(tiny_architecture(), len(labels), seed),
        vocabulary=VOCABULARY_TOKENS,
        labels=labels,
        max_length=max_length,
        temperature=temperature,
        golden_texts=(*GOLDEN_TEXTS, *[LONG_TEXT] * (windows is not None)),
        thresholds=thresholds,
        windows=windows,
        seed=seed,
    )
    if current:
        point_current_to(models, name, version)
    return folder


def tiny_architecture() -> Architecture:
    return Architecture(
        vocab_size=len(VOCABULARY_TOKENS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        type_vocab_size=2,
    )


def tiny_pipeline() -> str:
    """The tokenizer of the tiny artifact, as a `tokenizer.json`."""
    return uncased_pipeline(VOCABULARY_TOKENS)


def tokenizer(max_length: int) -> BertWordPieceTokenizer:
    """The tokenizer of the tiny artifact: uncased WordPiece, truncating to `max_length` tokens."""
    return uncased_tokenizer(VOCABULARY_TOKENS, max_length)


def random_weights(architecture: Architecture, labels: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """Seeded float32 tensors under Hugging Face's BertForSequenceClassification names."""
    generator = np.random.default_rng(seed)
    return {name: _initial(generator, name, shape) for name, shape in tensor_shapes(architecture, labels).items()}


def tensor_shapes(architecture: Architecture, labels: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of BertForSequenceClassification, in order, with its shape."""
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (architecture.vocab_size, hidden),
        "bert.embeddings.position_embeddings.weight": (architecture.max_position_embeddings, hidden),
        "bert.embeddings.token_type_embeddings.weight": (architecture.type_vocab_size, hidden),
        **_pair("bert.embeddings.LayerNorm", (hidden,)),
    }
    for number in range(architecture.num_hidden_layers):
        layer = f"bert.encoder.layer.{number}"
        for part in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ):
            shapes |= _pair(f"{layer}.{part}", (hidden, hidden))
        shapes |= _pair(f"{layer}.attention.output.LayerNorm", (hidden,))
        shapes |= _pair(f"{layer}.intermediate.dense", (inner, hidden))
        shapes |= _pair(f"{layer}.output.dense", (hidden, inner))
        shapes |= _pair(f"{layer}.output.LayerNorm", (hidden,))
    return shapes | _pair("bert.pooler.dense", (hidden, hidden)) | _pair("classifier", (labels, hidden))


def _pair(name: str, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


def _initial(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
    spread = 0.1 if len(shape) == 1 else SPREADS.get(name, 0.2)
    return generator.normal(centre, spread, shape).astype(np.float32)
