"""Writes tiny pretrained models to disk, in the forms that training reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from contract.artifact import Architecture
from harness.tiny_artifact import VOCABULARY_TOKENS, random_weights, tiny_architecture
from tests.references.folders import REFERENCES

Tensors = dict[str, NDArray[Any]]
ALBERT_ENTRIES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "inner_group_num", "embedding_size", "num_hidden_groups",
)  # fmt: skip


def encoder_tensors(seed: int = 0, **architecture: int) -> Tensors:
    """float32 tensors of a tiny BertModel, without prefix; `architecture` overrides its entries."""
    weights = random_weights(tiny_architecture().model_copy(update=architecture), labels=2, seed=seed)
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


def write_one_layer(folder: Path) -> Path:
    """A Hugging Face BERT folder of one layer: TensorFlow takes most of a short training to trace its layers."""
    return write_hugging_face(folder, encoder_tensors(num_hidden_layers=1), num_hidden_layers=1)


def write_google_checkpoint(folder: Path, tensors: Tensors | None = None, extra: Tensors | None = None) -> Path:
    """A TensorFlow 1 checkpoint as Google's: with the heads and the optimizer's slots of pretraining."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = encoder_tensors() if tensors is None else tensors
    values = {_google_name(name): _google_layout(name, tensor) for name, tensor in tensors.items()}
    values |= {f"{name}/adam_{slot}": value for name, value in list(values.items()) for slot in "mv"}
    values |= {"cls/predictions/output_bias": np.zeros(3, np.float32), "global_step": np.array(7), **(extra or {})}
    _save_checkpoint(folder / "bert_model.ckpt", values)
    config = tiny_architecture().model_dump(exclude={"activation", "layer_norm_eps"}) | {"hidden_act": "gelu"}
    (folder / "bert_config.json").write_text(json.dumps(config))
    _write_vocabulary(folder)
    return folder


def write_google_albert(folder: Path, classifier: Path, *, as_hub_module: bool = False) -> Path:
    """A classifier of Hugging Face's ALBERT, tanh GELU, as Google's archive of its encoder unpacks, or its module."""
    assets = folder / "assets" if as_hub_module else folder
    assets.mkdir(parents=True)
    values = {
        _google_albert_name(name): _google_layout(name, tensor)
        for name, tensor in load_file(classifier / "model.safetensors").items()
        if not name.startswith("classifier")
    }
    values |= {"cls/seq_relationship/output_bias": np.zeros(2, np.float32), "global_step": np.array(7)}
    if as_hub_module:
        (folder / "variables").mkdir()
    _save_checkpoint(folder / ("variables/variables" if as_hub_module else "model.ckpt-best"), values)
    config = json.loads((classifier / "config.json").read_text())
    config = {name: config[name] for name in ALBERT_ENTRIES}
    (assets / "albert_config.json").write_text(json.dumps(config | {"hidden_act": "gelu", "net_structure_type": 0}))
    shutil.copy(REFERENCES / "tokenizers" / "albert" / "files" / "spiece.model", assets / "30k-clean.model")
    return folder


def _save_checkpoint(prefix: Path, values: Tensors) -> None:
    from training.bert_compat import tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(value, name=name) for name, value in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(session, str(prefix), write_state=False)


def _google_albert_name(name: str) -> str:
    for old, new in (
        ("albert.", "bert."),
        ("encoder.albert_layer_groups.0.albert_layers.0.", "encoder.transformer.group_0.inner_group_0."),
        ("inner_group_0.attention.LayerNorm.", "inner_group_0.LayerNorm."),
        ("full_layer_layer_norm.", "LayerNorm_1."),
        *((f"attention.{part}.", f"attention_1.self.{part}.") for part in ("query", "key", "value")),
        ("attention.dense.", "attention_1.output.dense."),
        ("ffn_output.", "ffn_1.intermediate.output.dense."),
        ("ffn.", "ffn_1.intermediate.dense."),
        ("pooler.", "pooler.dense."),
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
        ("LayerNorm_1.weight", "LayerNorm_1.gamma"),
        ("LayerNorm_1.bias", "LayerNorm_1.beta"),
        ("_embeddings.weight", "_embeddings"),
        (".weight", ".kernel"),
    ):
        name = name.replace(old, new)
    return name.replace(".", "/")


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
