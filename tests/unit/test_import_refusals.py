"""Folders that are broken, each in its own way: one line that says what is wrong, and nothing is published."""

from __future__ import annotations

import json
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from tests.references.folders import classifier_folder
from training.__main__ import main
from training.cli import app

Break = Callable[[Path], object]


def config(**changes: Any) -> Break:
    """Change entries of the configuration; None removes one."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        content = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))

    return change


def tensors(change: Callable[[dict[str, Any]], object]) -> Break:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        found = load_file(path)
        change(found)
        save_file(found, path)

    return changed


def content(file: str, data: bytes) -> Break:
    return lambda folder: (folder / file).write_bytes(data)


def without(*files: str) -> Break:
    def remove(folder: Path) -> None:
        for file in files:
            (folder / file).unlink()

    return remove


def cut(file: str) -> Break:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-100])


def only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK\x03\x04")


def sharded(weight_map: object) -> Break:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return change


def tokenizer(**changes: Any) -> Break:
    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def adapter_alone(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def header_that_lies(folder: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def wordpiece_of_another_class(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')


LAYER = "bert.encoder.layer.0.output.dense.weight"
BROKEN: dict[str, tuple[Break, str]] = {
    "no configuration": (without("config.json"), "config.json: No such file"),
    "configuration cut off": (cut("config.json"), "config.json: not JSON"),
    "configuration is a list": (content("config.json", b"[]"), "not a JSON object"),
    "configuration nested too deep": (content("config.json", b"[" * 100_000), "not JSON"),
    "an adapter alone": (adapter_alone, "merge it into its model"),
    "unknown family": (config(model_type="deberta-v2"), "'deberta-v2' is not among those that are read: albert"),
    "a decoder": (config(model_type="gpt2"), "'gpt2' is not among"),
    "a decoder's switch": (config(is_decoder=True), "is_decoder"),
    "another task": (config(architectures=["BertForTokenClassification"]), "BertForTokenClassification, not a"),
    "remote code": (config(auto_map={"AutoModel": "modeling.py"}), "auto_map asks for code"),
    "quantized": (config(quantization_config={"bits": 4}), "quantization_config"),
    "pruned": (config(pruned_heads={"0": [1]}), "pruned_heads"),
    "other positions": (config(position_embedding_type="relative_key"), "relative_key"),
    "unknown activation": (config(hidden_act="gelu_10"), "hidden_act 'gelu_10' is not one of"),
    "heads that do not divide": (config(num_attention_heads=3), "not a multiple of 3 heads"),
    "no hidden size": (config(hidden_size=None), "hidden_size: Field required"),
    "layers below zero": (config(num_hidden_layers=-1), "num_hidden_layers"),
    "no labels": (config(id2label=None), "id2label is missing"),
    "labels with a gap": (config(id2label={"0": "a", "2": "b", "3": "c"}), "number its labels from 0"),
    "labels not numbered": (config(id2label={"a": "0", "b": "1", "c": "2"}), "number its labels from 0"),
    "labels repeat": (config(id2label={"0": "a", "1": "a", "2": "b"}), "'a' more than once"),
    "label is no text": (config(id2label={"0": "a", "1": None, "2": 3}), "a label that is no text"),
    "fewer labels than outputs": (config(id2label={"0": "a", "1": "b"}), r"classifier.weight is \[3, 16\], expected"),
    "regression": (config(problem_type="regression"), "a regression"),
    "one output": (config(id2label={"0": "score"}), "a regression"),
    "unknown problem": (config(problem_type="ranking"), "problem_type 'ranking'"),
    "pairs of texts": (config(id2label={"0": "entailment", "1": "neutral", "2": "contradiction"}), "pairs of texts"),
    "cross-encoder": (config(sentence_transformers={"version": "5"}), "cross-encoder reads pairs"),
    "no weights": (without("model.safetensors"), "has no model.safetensors"),
    "pickled weights": (only_pickled, "pytorch_model.bin: pickled weights can run code.*save_pretrained"),
    "a pickle called safetensors": (
        content("model.safetensors", pickle.dumps({"a": 1})),
        "a pickle by another name",
    ),
    "pointer of Git LFS": (content("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), "git lfs"),
    "weights cut off": (cut("model.safetensors"), "model.safetensors: "),
    "weights empty": (content("model.safetensors", b""), "model.safetensors: "),
    "weights whose header lies": (header_that_lies, "model.safetensors: "),
    "a tensor missing": (tensors(lambda found: found.pop(LAYER)), f"lacks {LAYER}"),
    "a tensor too many": (tensors(lambda found: found.update(extra=np.zeros(2))), "has extra, which"),
    "a tensor misshapen": (tensors(lambda found: found.update({LAYER: np.zeros((3, 3))})), r"weight is \[3, 3\]"),
    "a tensor of integers": (
        tensors(lambda found: found.update({"classifier.bias": np.zeros(3, np.int64)})),
        "classifier.bias is int64",
    ),
    "no classification head": (
        tensors(lambda found: [found.pop(name) for name in ("classifier.weight", "classifier.bias")]),
        "this is no fine-tuned classifier",
    ),
    "fewer positions than it says": (config(max_position_embeddings=512), r"expected \[512, 16\]"),
    "shards outside the folder": (sharded({"a": "../../secrets.safetensors"}), "is no safetensors file in this folder"),
    "shards at an absolute path": (sharded({"a": "/etc/passwd"}), "is no safetensors file in this folder"),
    "a shard that is a pickle": (sharded({"a": "pytorch_model.bin"}), "is no safetensors file in this folder"),
    "a shard missing": (sharded({"a": "b.safetensors"}), "b.safetensors: "),
    "an index that lies": (sharded({"a": "a.safetensors"}), "a.safetensors lacks a"),
    "an index of nothing": (sharded({}), "weight_map does not say"),
    "no tokenizer": (without("tokenizer.json"), "has no tokenizer"),
    "tokenizer cut off": (cut("tokenizer.json"), "tokenizer.json: "),
    "tokenizer of another kind": (tokenizer(model={"type": "Magic"}), "tokenizer.json: "),
    "tokenizer without ends": (tokenizer(post_processor=None), "puts no special token before a text"),
    "tokenizer's remote code": (
        content("tokenizer_config.json", b'{"auto_map": {"AutoTokenizer": ["t.py", null]}}'),
        "auto_map asks for code of the tokenizer's own",
    ),
    "tokenizer of another language's class": (wordpiece_of_another_class, "is for a BertJapaneseTokenizer"),
    "a truncation that is none": (content("tokenizer_config.json", b'{"truncation_side": "middle"}'), "'middle'"),
    "more tokens than embeddings": (
        tensors(
            lambda found: found.update(
                {"bert.embeddings.word_embeddings.weight": found["bert.embeddings.word_embeddings.weight"][:50]}
            )
        ),
        r"word_embeddings.weight is \[50, 16\]",
    ),
}


@pytest.mark.parametrize(("spoil", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_folder_is_refused_in_one_line_and_nothing_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spoil: Break, complaint: str
) -> None:
    folder = classifier_folder("bert", tmp_path / "bert")
    spoil(folder)
    monkeypatch.setenv("RETORT_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("sys.argv", ["training", "import", str(folder), "--name", "broken"])

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert len(said.splitlines()) == 1
    assert re.search(complaint, said), said
    left = [path.name for path in (tmp_path / "models").glob("broken/*")]
    assert not [name for name in left if name != ".lock"]


def test_there_are_enough_ways_to_be_broken() -> None:
    assert len(BROKEN) >= 30


def test_a_sound_folder_is_published_and_made_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_MODELS_DIR", str(tmp_path / "models"))
    folder = classifier_folder("bert", tmp_path / "bert")

    done = CliRunner().invoke(app, ["import", str(folder), "--name", "tickets"])

    assert done.exit_code == 0, done.output
    assert "scores are as the model gives them" in done.output
    assert (tmp_path / "models" / "tickets" / "CURRENT").exists()
