"""Google's checkpoints of TensorFlow 1, of BERT and of ALBERT: a configuration, a vocabulary, variables by name.

As their archives unpack (`bert_model.ckpt.*`, `model.ckpt-best.*`), and as modules of TensorFlow Hub have them
(`variables/`, `assets/`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import ActivationName, FamilyName, TokenizerOptions, sha256
from encoders.tokenization import read_vocabulary, wordpiece_pipeline
from training.errors import BadBaseModel
from training.pretrained.base_model import BaseModel, check_tokenizer, encoder_tensors
from training.pretrained.configuration import architecture_in, read_json
from training.pretrained.names import artifact_name, transposed
from training.pretrained.sentencepiece import unigram_pipeline
from training.pretrained.tokenizer_files import wordpiece_options

CONFIGS: Mapping[str, FamilyName] = {
    "bert_config.json": "bert",
    "albert_config.json": "albert",
    "assets/albert_config.json": "albert",
}
INDEXES = ("*.ckpt.index", "*.ckpt-*.index", "variables/variables.index")
SENTENCEPIECE, VOCABULARIES = ("*.model", "assets/*.model"), ("vocab*.txt", "assets/vocab*.txt")
ACTIVATIONS: dict[str, ActivationName] = {"gelu": "gelu_tanh"}
"""Google's code computes GELU by its tanh approximation."""

OF_THE_OPTIMIZER = re.compile(r"(/(adam|lamb)_[mv]|^global_step)$")


def load(folder: Path) -> BaseModel:
    """The checkpoint in `folder`. Raises BadModel, which names the file and what is wrong with it.

    Whether it is cased follows from its vocabulary.
    """
    index = _only(folder, INDEXES, "checkpoints (*.ckpt.index)")
    prefix = index.with_suffix("")
    name = next((name for name in CONFIGS if (folder / name).exists()), None)
    if name is None:
        raise BadBaseModel(f"{folder}: has none of {', '.join(CONFIGS)}")
    family = CONFIGS[name]
    config = {**read_json(folder / name), "model_type": family}
    if "ln_type" in config:
        raise BadBaseModel(f"{folder / name}: ln_type is brightmart's, whose ALBERT has embeddings of another form")
    architecture = architecture_in(config, folder / name, ACTIVATIONS)
    vocabulary, pipeline = _tokenizer(folder, family)
    check_tokenizer(pipeline, architecture, vocabulary)
    return BaseModel(
        name=folder.name,
        architecture=architecture,
        pipeline=pipeline,
        tokenizer=TokenizerOptions(),
        tensors=encoder_tensors(_tensors(prefix, family), architecture, prefix),
        sha256=sha256(prefix.with_name(f"{prefix.name}.data-00000-of-00001")),
    )


def holds_checkpoint(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in INDEXES)


def _only(folder: Path, patterns: tuple[str, ...], what: str) -> Path:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    if len(found) != 1:
        raise BadBaseModel(f"{folder}: holds {len(found)} {what}, expected one")
    return found[0]


def _tokenizer(folder: Path, family: FamilyName) -> tuple[Path, str]:
    """The file that the tokenizer comes from, and it as a `tokenizer.json`."""
    if any(any(folder.glob(pattern)) for pattern in SENTENCEPIECE):
        path = _only(folder, SENTENCEPIECE, "sentencepiece models (*.model)")
        return path, unigram_pipeline(path, family, {})
    path = _only(folder, VOCABULARIES, "vocabularies (vocab.txt)")
    ids = read_vocabulary(path)
    return path, wordpiece_pipeline(ids, wordpiece_options(ids, {}))


def _tensors(prefix: Path, family: FamilyName) -> dict[str, NDArray[Any]]:
    """Every tensor that is not the optimizer's, by Hugging Face's name and in its layout."""
    from training.bert_compat import tf  # it takes seconds to import

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [name for name in reader.get_variable_to_shape_map() if not OF_THE_OPTIMIZER.search(name)]
        stored = {artifact_name(name, family): np.asarray(reader.get_tensor(name)) for name in names}
    except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
        raise BadBaseModel(f"{prefix}: {error}") from error
    return {name: transposed(name, tensor) for name, tensor in stored.items()}
