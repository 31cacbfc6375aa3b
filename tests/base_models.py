"""Writes tiny pretrained models to disk, in the forms that training reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from contract.artifact import Architecture
from harness.tiny_artifact import VOCABULARY_TOKENS, random_weights, tiny_architecture

Tensors = dict[str, NDArray[Any]]


def encoder_tensors(seed: int = 0) -> Tensors:
    """float32 tensors of a tiny BertModel, without prefix."""
    weights = random_weights(tiny_architecture(), labels=2, seed=seed)
    return {name.removeprefix("bert."): weights[name] for name in weights if name.startswith("bert.")}


def random_head(architecture: Architecture, labels: int, seed: int) -> Tensors:
    """A new linear layer: small random weights, by the names of an artifact."""
    weight = np.random.default_rng(seed).normal(0.0, 0.02, (labels, architecture.hidden_size)).astype(np.float32)
    return {"classifier.weight": weight, "classifier.bias": np.zeros(labels, np.float32)}


def write_hugging_face(folder: Path, tensors: Tensors | None = None, **config: Any) -> Path:
    """A Hugging Face BERT folder; `config` overrides entries of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(encoder_tensors() if tensors is None else tensors, folder / "model.safetensors")
    architecture = tiny_architecture().model_dump(exclude={"activation"})
    content = {"model_type": "bert", "hidden_act": "gelu"} | architecture | config
    (folder / "config.json").write_text(json.dumps(content))
    _write_vocabulary(folder)
    return folder


def write_google_checkpoint(folder: Path, tensors: Tensors | None = None, extra: Tensors | None = None) -> Path:
    """A TensorFlow 1 checkpoint as Google's: with the heads and the optimizer's slots of pretraining."""
    from training.bert_compat import tf

    folder.mkdir(parents=True, exist_ok=True)
    tensors = encoder_tensors() if tensors is None else tensors
    values = {_google_name(name): _google_layout(name, tensor) for name, tensor in tensors.items()}
    values |= {f"{name}/adam_{slot}": value for name, value in list(values.items()) for slot in "mv"}
    values |= {"cls/predictions/output_bias": np.zeros(3, np.float32), "global_step": np.array(7), **(extra or {})}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(value, name=name) for name, value in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        saver.save(session, str(folder / "bert_model.ckpt"), write_state=False)
    config = tiny_architecture().model_dump(exclude={"activation", "layer_norm_eps"}) | {"hidden_act": "gelu"}
    (folder / "bert_config.json").write_text(json.dumps(config))
    _write_vocabulary(folder)
    return folder


def _google_name(name: str) -> str:
    for old, new in (
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
        ("_embeddings.weight", "_embeddings"),
        (".weight", ".kernel"),
        ("layer.", "layer_"),
    ):
        name = name.replace(old, new)
    return "bert/" + name.replace(".", "/")


def _google_layout(name: str, tensor: NDArray[Any]) -> NDArray[Any]:
    return tensor if tensor.ndim == 1 or "embeddings" in name else tensor.T


def _write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY_TOKENS))
