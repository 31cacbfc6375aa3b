from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.artifact import TokenizerOptions
from contract.errors import BadModel
from harness.tiny_artifact import tiny_architecture
from tests.base_models import encoder_tensors, write_hugging_face
from training.errors import BadBaseModel
from training.pretrained import hugging_face
from training.pretrained.base_model import tokenizer_for
from training.pretrained.base_models import load_base_model
from training.pretrained.names import hugging_face_name


def test_a_hugging_face_folder_is_read_whole(tmp_path: Path) -> None:
    base = load_base_model(str(write_hugging_face(tmp_path / "own-bert")), downloads=tmp_path)

    expected = encoder_tensors()
    assert base.name == "own-bert"
    assert base.architecture == tiny_architecture()
    assert base.tokenizer == TokenizerOptions(lowercase=True, strip_accents=True)
    assert all(np.array_equal(base.tensors[name], expected[name]) for name in expected)
    assert base.tensors.keys() == expected.keys()


def test_prefix_heads_and_old_names_of_layer_norms_are_understood(tmp_path: Path) -> None:
    tensors = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): each
        for name, each in encoder_tensors().items()
    }
    tensors |= {
        "cls.predictions.bias": np.zeros(3, np.float32),
        "bert.embeddings.position_ids": np.arange(64)[None],
    }

    base = hugging_face.load(write_hugging_face(tmp_path, tensors), "own")

    assert base.tensors.keys() == encoder_tensors().keys()


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    halves = {name: tensor.astype(np.float16) for name, tensor in encoder_tensors().items()}

    base = hugging_face.load(write_hugging_face(tmp_path, halves), "own")

    assert {tensor.dtype for tensor in base.tensors.values()} == {np.dtype(np.float32)}


def _without_pooler() -> dict[str, np.ndarray]:
    return {name: tensor for name, tensor in encoder_tensors().items() if not name.startswith("pooler")}


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        (_without_pooler(), "lacks pooler.dense.bias; lacks pooler.dense.weight"),
        (encoder_tensors() | {"adapter.weight": np.zeros((2, 2), np.float32)}, "has adapter.weight, which"),
        (
            encoder_tensors() | {"pooler.dense.bias": np.zeros(31, np.float32)},
            r"pooler.dense.bias is \[31\], expected \[32\]",
        ),
        (encoder_tensors() | {"pooler.dense.bias": np.zeros(32, np.int32)}, "pooler.dense.bias is int32"),
    ],
    ids=["missing", "extra", "mis-shaped", "integers"],
)
def test_a_tensor_that_is_wrong_is_named(tmp_path: Path, tensors: dict[str, np.ndarray], complaint: str) -> None:
    folder = write_hugging_face(tmp_path, tensors)

    with pytest.raises(BadModel, match=complaint):
        hugging_face.load(folder, "own")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("model_type", "roberta"),
        ("hidden_act", "relu"),
        ("position_embedding_type", "relative_key"),
        ("hidden_size", 33),
    ],
)
def test_what_is_no_bert_is_refused(tmp_path: Path, entry: str, value: Any) -> None:
    folder = write_hugging_face(tmp_path, None, **{entry: value})

    with pytest.raises(BadBaseModel, match=entry):
        hugging_face.load(folder, "own")


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")

    with pytest.raises(BadBaseModel, match="4 tokens, vocab_size is"):
        hugging_face.load(folder, "own")


def test_the_tokenizers_own_file_wins(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": False})
    )

    base = hugging_face.load(folder, "own")

    assert base.tokenizer == TokenizerOptions(lowercase=False, strip_accents=False, handle_chinese_chars=False)


@pytest.mark.parametrize(("share_of_capitals", "uncased"), [(0.0, True), (0.005, True), (0.2, False)])
def test_a_checkpoint_is_cased_when_its_vocabulary_is(tmp_path: Path, share_of_capitals: float, uncased: bool) -> None:
    capitals = int(1000 * share_of_capitals)
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *(f"W{n}" for n in range(capitals)),
        *(f"w{n}" for n in range(996 - capitals)),
    ]
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    architecture = tiny_architecture().model_copy(update={"vocab_size": len(tokens)})

    options = tokenizer_for(tmp_path / "vocab.txt", architecture)

    assert options == TokenizerOptions(lowercase=uncased, strip_accents=uncased)


def test_a_name_that_is_nowhere_gets_advice(tmp_path: Path) -> None:
    with pytest.raises(BadBaseModel, match="make download_base_bert"):
        load_base_model("multi_cased_L-12_H-768_A-12", downloads=tmp_path)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("bert/embeddings/word_embeddings/embeddings:0", "bert.embeddings.word_embeddings.weight"),
        ("bert/embeddings/word_embeddings", "bert.embeddings.word_embeddings.weight"),
        ("bert/embeddings/LayerNorm/gamma:0", "bert.embeddings.LayerNorm.weight"),
        ("bert/encoder/layer_11/intermediate/kernel:0", "bert.encoder.layer.11.intermediate.dense.weight"),
        ("bert/encoder/layer_11/intermediate/dense/bias", "bert.encoder.layer.11.intermediate.dense.bias"),
        (
            "bert/encoder/layer_0/attention/output/LayerNorm/beta",
            "bert.encoder.layer.0.attention.output.LayerNorm.bias",
        ),
    ],
)
def test_names_of_both_tensorflow_layouts_become_hugging_faces(variable: str, expected: str) -> None:
    assert hugging_face_name(variable) == expected


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [("[PAD]\n[CLS]\n[SEP]\n", r"has no \[UNK\]"), ("[UNK]\n[PAD]\n[CLS]\n[SEP]\n", r"\[PAD\] is token 1")],
)
def test_a_vocabulary_without_berts_tokens_is_refused(tmp_path: Path, tokens: str, complaint: str) -> None:
    (tmp_path / "vocab.txt").write_text(tokens)

    with pytest.raises(BadModel, match=complaint):
        tokenizer_for(tmp_path / "vocab.txt", tiny_architecture())
