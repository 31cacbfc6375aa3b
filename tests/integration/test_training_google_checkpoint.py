from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contract.errors import BadModel
from tests.base_models import encoder_tensors, random_head, write_google_checkpoint, write_hugging_face
from training.bert_compat import tf
from training.data.batches import NO_TOKEN
from training.fit.model import Classifier
from training.pretrained.base_model import BaseModel
from training.pretrained.base_models import load_base_model


def _logits(base: BaseModel) -> np.ndarray:
    model = Classifier(base.architecture, 3)
    tensors = {f"bert.{name}": tensor for name, tensor in base.tensors.items()}
    model.load(tensors | random_head(base.architecture, 3, seed=0))
    logits: np.ndarray = model.logits(tf.constant([[2, 9, 11, 40, 3], [2, 8, 3, *[NO_TOKEN] * 2]])).numpy()
    return logits


def test_a_google_checkpoint_gives_the_output_of_the_same_weights_in_hugging_face_form(tmp_path: Path) -> None:
    google = load_base_model(str(write_google_checkpoint(tmp_path / "google")), tmp_path)
    # Google's "gelu" is the tanh approximation, which Hugging Face calls gelu_new.
    hugging_face = load_base_model(str(write_hugging_face(tmp_path / "hf", hidden_act="gelu_new")), tmp_path)

    assert google.architecture == hugging_face.architecture
    assert google.tokenizer == hugging_face.tokenizer
    assert google.tensors.keys() == hugging_face.tensors.keys()
    np.testing.assert_array_equal(_logits(google), _logits(hugging_face))


def test_a_checkpoint_without_a_tensor_is_refused(tmp_path: Path) -> None:
    tensors = encoder_tensors()
    del tensors["encoder.layer.1.output.dense.weight"]
    folder = write_google_checkpoint(tmp_path, tensors)

    with pytest.raises(BadModel, match=r"lacks encoder\.layer\.1\.output\.dense\.weight$"):
        load_base_model(str(folder), tmp_path)


def test_a_checkpoint_with_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    folder = write_google_checkpoint(
        tmp_path, extra={"bert/encoder/layer_2/output/dense/bias": np.zeros(32, np.float32)}
    )

    with pytest.raises(BadModel, match=r"has encoder\.layer\.2\.output\.dense\.bias"):
        load_base_model(str(folder), tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = write_google_checkpoint(tmp_path)
    data = folder / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])

    with pytest.raises(BadModel, match=r"bert_model\.ckpt"):
        load_base_model(str(folder), tmp_path)
