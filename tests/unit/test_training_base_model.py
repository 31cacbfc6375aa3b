from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from contract.artifact import WordPieceOptions
from contract.errors import BadModel
from encoders.families import family_of
from harness.tiny_artifact import tiny_architecture, tiny_pipeline, tokenizer
from tests.base_models import encoder_tensors, write_hugging_face
from tests.references.folders import MODELS, classifier_folder
from training.errors import BadBaseModel
from training.pretrained import hugging_face
from training.pretrained.base_models import load_base_model
from training.pretrained.names import artifact_name
from training.pretrained.tokenizer_files import wordpiece_options
from training.pretrained.weight_files import read_weights

HEADS = ("classifier", "pre_classifier", "classifier.dense", "classifier.out_proj")


def test_a_hugging_face_folder_is_read_whole(tmp_path: Path) -> None:
    base = load_base_model(str(write_hugging_face(tmp_path / "own-bert")), downloads=tmp_path)

    expected = encoder_tensors()
    assert base.name == "own-bert"
    assert base.architecture == tiny_architecture()
    assert base.text_tokenizer(16).encode(["Why Ünïcode"])[0].ids.tolist() == tokenizer(16).encode("why unicode").ids
    assert all(np.array_equal(base.tensors[name], expected[name]) for name in expected)
    assert base.tensors.keys() == expected.keys()


def test_a_name_that_is_nearly_right_is_told_which_would_be(tmp_path: Path) -> None:
    write_hugging_face(tmp_path / "own-bert")
    for given, meant in (("own-bret", "own-bert"), ("minlm", "minilm"), ("albert_base_v3", "albert_base_v2")):
        with pytest.raises(BadBaseModel, match=rf"{given}: neither .*: did you mean '{meant}'\?"):
            load_base_model(given, downloads=tmp_path)


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


def _without(start: str) -> dict[str, np.ndarray]:
    return {name: tensor for name, tensor in encoder_tensors().items() if not name.startswith(start)}


def test_a_base_model_may_lack_the_pooler(tmp_path: Path) -> None:
    base = hugging_face.load(write_hugging_face(tmp_path, _without("pooler")), "own")

    assert base.tensors.keys() == _without("pooler").keys()


def test_tables_that_are_padded_beyond_the_vocabulary_are_read(tmp_path: Path) -> None:
    tensors = encoder_tensors()
    words = tensors["embeddings.word_embeddings.weight"]
    tensors["embeddings.word_embeddings.weight"] = np.pad(words, ((0, 6), (0, 0)))

    as_configured = write_hugging_face(tmp_path / "a", tensors, vocab_size=len(words) + 6)
    beyond = write_hugging_face(tmp_path / "b", tensors)

    assert hugging_face.load(as_configured, "a").architecture.vocab_size == len(words) + 6
    assert hugging_face.load(beyond, "b").architecture.vocab_size == len(words) + 6


def test_a_folder_of_transformers_5_has_a_tokenizer_and_no_vocabulary(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(tiny_pipeline())

    base = hugging_face.load(folder, "own")

    assert base.text_tokenizer(16).encode(["Why Ünïcode"])[0].ids.tolist() == tokenizer(16).encode("why unicode").ids


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        (_without("pooler.dense.bias"), "lacks pooler.dense.bias$"),
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
        ("model_type", "deberta"),
        ("hidden_act", "gelu_10"),
        ("position_embedding_type", "relative_key"),
        ("hidden_size", 33),
    ],
)
def test_what_is_no_bert_is_refused(tmp_path: Path, entry: str, value: Any) -> None:
    folder = write_hugging_face(tmp_path, None, **{entry: value})

    with pytest.raises(BadBaseModel, match=entry):
        hugging_face.load(folder, "own")


def test_a_vocabulary_with_more_tokens_than_embeddings_is_refused(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    with (folder / "vocab.txt").open("a") as file:
        file.write("more\n")

    with pytest.raises(BadBaseModel, match="183 tokens, vocab_size is 182"):
        hugging_face.load(folder, "own")


def test_the_tokenizers_own_file_wins(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    told = {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))

    base = hugging_face.load(folder, "own")

    lower, upper = base.text_tokenizer(16).encode(["why", "WHY"])
    assert lower.unknown_share == 0
    assert upper.unknown_share == 1


@pytest.mark.parametrize(("share_of_capitals", "uncased"), [(0.0, True), (0.005, True), (0.2, False)])
def test_a_checkpoint_is_cased_when_its_vocabulary_is(share_of_capitals: float, uncased: bool) -> None:
    capitals = int(1000 * share_of_capitals)
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *(f"W{n}" for n in range(capitals)),
        *(f"w{n}" for n in range(996 - capitals)),
    ]
    options = wordpiece_options({token: number for number, token in enumerate(tokens)}, {})

    assert options == WordPieceOptions(lowercase=uncased, strip_accents=uncased)


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
    assert artifact_name(variable, "bert") == expected


LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"


@pytest.mark.parametrize(
    ("of_the_layer", "of_google", "expected"),
    [
        ("word_embeddings_projector/projector:0", "embedding_hidden_mapping_in/kernel", "weight"),
        ("word_embeddings_projector/bias:0", "embedding_hidden_mapping_in/bias", "bias"),
    ],
)
def test_the_product_behind_alberts_embeddings_has_one_name(of_the_layer: str, of_google: str, expected: str) -> None:
    found = {
        artifact_name(f"bert/embeddings/{of_the_layer}", "albert"),
        artifact_name(f"bert/encoder/{of_google}", "albert"),
    }

    assert found == {f"albert.encoder.embedding_hidden_mapping_in.{expected}"}


@pytest.mark.parametrize(
    ("of_the_layer", "of_google", "expected"),
    [
        ("attention/self/query", "attention_1/self/query", "attention.query"),
        ("attention/output/dense", "attention_1/output/dense", "attention.dense"),
        ("attention/output/LayerNorm", "LayerNorm", "attention.LayerNorm"),
        ("intermediate", "ffn_1/intermediate/dense", "ffn"),
        ("output/dense", "ffn_1/intermediate/output/dense", "ffn_output"),
        ("output/LayerNorm", "LayerNorm_1", "full_layer_layer_norm"),
    ],
)
def test_alberts_shared_layer_has_one_name_for_bert_for_tf2s_and_googles(
    of_the_layer: str, of_google: str, expected: str
) -> None:
    weight, bias = ("gamma", "beta") if "Norm" in of_google else ("kernel", "bias")
    for part, name in ((weight, "weight"), (bias, "bias")):
        found = {
            artifact_name(f"bert/encoder/layer_shared/{of_the_layer}/{part}:0", "albert"),
            artifact_name(f"bert/encoder/transformer/group_0/inner_group_0/{of_google}/{part}", "albert"),
        }
        assert found == {f"{LAYER}.{expected}.{name}"}


def test_a_vocabulary_without_berts_tokens_is_refused(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path)
    (folder / "vocab.txt").write_text("[PAD]\n[CLS]\n[SEP]\n")

    with pytest.raises(BadModel, match=r"has no \[UNK\]"):
        hugging_face.load(folder, "own")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_every_family_is_a_base_model_without_its_head(tmp_path: Path, name: str) -> None:
    folder = classifier_folder(name, tmp_path / name)

    base = load_base_model(str(folder), tmp_path)

    family = family_of(base.architecture)
    stored = {each.removeprefix(family.prefix) for each in read_weights(folder).tensors}
    assert stored - base.tensors.keys() <= {f"{head}.{part}" for head in HEADS for part in ("weight", "bias")}
    assert base.text_tokenizer(16).encode(["a"])[0].length > 2
    assert bool(base.why_frozen) == (family.name not in ("bert", "albert") or name == "albert_groups")


def test_a_pooler_that_a_familys_checkpoints_have_untrained_is_left_out(tmp_path: Path) -> None:
    folder = classifier_folder("roberta", tmp_path / "roberta")
    stored = dict(read_weights(folder).tensors)
    untrained = {f"roberta.pooler.dense.{part}": np.zeros(2, np.float32) for part in ("weight", "bias")}
    save_file(stored | untrained, folder / "model.safetensors")

    assert load_base_model(str(folder), tmp_path).tensors.keys() & {"pooler.dense.weight", "pooler.dense.bias"} == set()


def test_a_family_that_is_not_among_them_is_refused_with_the_list(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path, None, model_type="modernbert")

    with pytest.raises(BadBaseModel, match=r"'modernbert' is not among .*: albert, bert, camembert, distilbert, elec"):
        load_base_model(str(folder), tmp_path)
