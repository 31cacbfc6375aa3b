"""Google's BERT checkpoints of TensorFlow 1: `bert_config.json`, `vocab.txt`, `bert_model.ckpt.*`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import sha256
from training.errors import BadBaseModel
from training.pretrained.base_model import BaseModel, architecture_from, encoder_tensors, tokenizer_for
from training.pretrained.names import hugging_face_name, transposed

CONFIG = "bert_config.json"
ACTIVATIONS = {"gelu": "gelu_tanh"}
"""Google's code computes GELU by its tanh approximation."""

OF_THE_OPTIMIZER = re.compile(r"(/adam_[mv]|^global_step)$")


def load(folder: Path) -> BaseModel:
    """The checkpoint in `folder`. Raises BadModel, which names the file and what is wrong with it.

    Whether it is cased follows from its vocabulary.
    """
    prefix = _prefix(folder)
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise BadBaseModel(f"{folder / CONFIG}: {error}") from error
    architecture = architecture_from(config, ACTIVATIONS, folder / CONFIG)
    return BaseModel(
        name=folder.name,
        architecture=architecture,
        tokenizer=tokenizer_for(folder / "vocab.txt", architecture),
        vocabulary=folder / "vocab.txt",
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
