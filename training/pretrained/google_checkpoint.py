"""Google's BERT checkpoints of TensorFlow 1: `bert_config.json`, `vocab.txt`, `bert_model.ckpt.*`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import VOCABULARY, ActivationName, TokenizerOptions, sha256
from encoders.tokenization import read_vocabulary, wordpiece_pipeline
from training.errors import BadBaseModel
from training.pretrained.base_model import BaseModel, check_tokenizer, encoder_tensors
from training.pretrained.configuration import architecture_in, read_json
from training.pretrained.names import hugging_face_name, transposed
from training.pretrained.tokenizer_files import wordpiece_options

CONFIG = "bert_config.json"
ACTIVATIONS: dict[str, ActivationName] = {"gelu": "gelu_tanh"}
"""Google's code computes GELU by its tanh approximation."""

OF_THE_OPTIMIZER = re.compile(r"(/adam_[mv]|^global_step)$")


def load(folder: Path) -> BaseModel:
    """The checkpoint in `folder`. Raises BadModel, which names the file and what is wrong with it.

    Whether it is cased follows from its vocabulary.
    """
    prefix = _prefix(folder)
    architecture = architecture_in(read_json(folder / CONFIG), folder / CONFIG, ACTIVATIONS)
    ids = read_vocabulary(folder / VOCABULARY)
    pipeline = wordpiece_pipeline(ids, wordpiece_options(ids, {}))
    check_tokenizer(pipeline, architecture, folder / VOCABULARY)
    return BaseModel(
        name=folder.name,
        architecture=architecture,
        pipeline=pipeline,
        tokenizer=TokenizerOptions(),
        tensors=encoder_tensors(_tensors(prefix), architecture, prefix),
        sha256=sha256(prefix.with_name(f"{prefix.name}.data-00000-of-00001")),
    )


def holds_checkpoint(folder: Path) -> bool:
    return any(folder.glob("*.ckpt.index"))


def _prefix(folder: Path) -> Path:
    found = sorted(folder.glob("*.ckpt.index"))
    if len(found) != 1:
        raise BadBaseModel(f"{folder}: holds {len(found)} checkpoints (*.ckpt.index), expected one")
    return found[0].with_suffix("")


def _tensors(prefix: Path) -> dict[str, NDArray[Any]]:
    """Every tensor that is not the optimizer's, by Hugging Face's name and in its layout."""
    from training.bert_compat import tf  # it takes seconds to import

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [name for name in reader.get_variable_to_shape_map() if not OF_THE_OPTIMIZER.search(name)]
        stored = {hugging_face_name(name): np.asarray(reader.get_tensor(name)) for name in names}
    except (tf.errors.OpError, IndexError, ValueError, RuntimeError) as error:
        raise BadBaseModel(f"{prefix}: {error}") from error
    return {name: transposed(name, tensor) for name, tensor in stored.items()}
