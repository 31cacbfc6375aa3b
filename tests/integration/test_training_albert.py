"""ALBERT as a base model: Google's form and Hugging Face's, computed as bert-for-tf2 and transformers compute it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from contract.artifact import TokenizerOptions
from contract.errors import BadModel
from encoders.families import family_of
from encoders.tokenization import TextTokenizer
from tests.base_models import write_google_albert
from tests.references.folders import classifier_folder, logits_of
from tests.references.hard_texts import TEXTS
from training.bert_compat import bert_layer, tf
from training.data.batches import NO_TOKEN
from training.fit.model import Classifier
from training.pretrained.base_model import BaseModel
from training.pretrained.base_models import load_base_model

AS_IMPORTED = TokenizerOptions(special_tokens="tokens")
PADDED = tf.constant([[2, 9, 11, 3, *[NO_TOKEN] * 3], [2, 20, 21, 22, 23, 24, 3], [NO_TOKEN] * 7])
REAL = PADDED.numpy() != NO_TOKEN
AS_THE_LAYER_READS_IT = [tf.maximum(PADDED, 0), tf.zeros_like(PADDED)]


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier_folder("albert", tmp_path_factory.mktemp("albert") / "own")


@pytest.fixture(scope="module")
def google(hugging_face: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_google_albert(tmp_path_factory.mktemp("google") / "albert_tiny_v2", hugging_face)


@pytest.fixture(scope="module")
def base(hugging_face: Path) -> BaseModel:
    return load_base_model(str(hugging_face), hugging_face)


def _model(base: BaseModel) -> Classifier:
    model = Classifier(base.architecture, 2, pooling="mean")
    head = {"classifier.weight": np.zeros((2, 16), np.float32), "classifier.bias": np.zeros(2, np.float32)}
    prefix = family_of(base.architecture).prefix
    model.load({prefix + name: tensor for name, tensor in base.tensors.items()} | head)
    return model


@pytest.mark.parametrize("as_hub_module", [False, True], ids=["archive", "hub_module"])
def test_googles_form_is_read_as_hugging_faces(
    base: BaseModel, hugging_face: Path, tmp_path: Path, as_hub_module: bool
) -> None:
    write_google_albert(tmp_path / "google", hugging_face, as_hub_module=as_hub_module)

    found = load_base_model("google", tmp_path)

    assert found.architecture == base.architecture
    assert found.tensors.keys() == base.tensors.keys()
    assert all(np.array_equal(found.tensors[name], base.tensors[name]) for name in base.tensors)
    own, expected = (each.text_tokenizer(64).encode(TEXTS) for each in (found, base))
    assert [text.ids.tolist() for text in own] == [text.ids.tolist() for text in expected]


def test_what_bert_for_tf2_loads_and_computes_is_what_is_trained(google: Path) -> None:
    import bert

    base = load_base_model(str(google), google)
    layer = bert_layer(base.architecture)
    left = bert.loader_albert.load_albert_weights(layer, str(google / "model.ckpt-best"))

    own, theirs = _model(base).states(PADDED).numpy(), layer(AS_THE_LAYER_READS_IT).numpy()

    assert left == []
    np.testing.assert_allclose(own[REAL], theirs[REAL], atol=2e-5)


def test_gradients_are_those_of_the_layer_of_bert_for_tf2(base: BaseModel) -> None:
    model = _model(base)
    weights = tf.random.stateless_normal([*PADDED.shape, 1], [1, 1]) * tf.cast(REAL, tf.float32)[:, :, None]

    def gradients(states: Callable[[], Any]) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(states()) * weights)
        return [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, model.bert.trainable_variables)]

    own = gradients(lambda: model.states(PADDED))
    layers = gradients(lambda: model.bert(AS_THE_LAYER_READS_IT))

    for found, expected in zip(own, layers, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["albert", "albert_equal_width"])
def test_a_classifier_gives_the_logits_of_transformers(tmp_path: Path, name: str) -> None:
    base = load_base_model(str(classifier_folder(name, tmp_path / name)), tmp_path)
    model = Classifier(base.architecture, 3)
    model.load(load_file(tmp_path / name / "model.safetensors"))
    expected = logits_of(name)

    encoded = TextTokenizer(base.pipeline, AS_IMPORTED, 64).encode([TEXTS[number] for number in expected["texts"]])
    found = [model.logits(tf.constant([text.ids.tolist()])).numpy()[0] for text in encoded]

    np.testing.assert_allclose(found, expected["logits"], atol=1e-5)


def test_a_checkpoint_of_brightmarts_is_refused_by_name(google: Path, tmp_path: Path) -> None:
    config = (google / "albert_config.json").read_text()
    for file in google.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "albert_config.json").write_text(config.replace("{", '{"ln_type": "postln", ', 1))

    with pytest.raises(BadModel, match="brightmart"):
        load_base_model(str(tmp_path), tmp_path)


def test_a_checkpoint_without_a_tensor_is_refused(google: Path, tmp_path: Path) -> None:
    for file in google.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = (google / "albert_config.json").read_text()
    (tmp_path / "albert_config.json").write_text(config.replace('"num_hidden_groups": 1', '"num_hidden_groups": 2'))

    with pytest.raises(BadModel, match=r"lacks encoder\.albert_layer_groups\.1\.albert_layers"):
        load_base_model(str(tmp_path), tmp_path)
