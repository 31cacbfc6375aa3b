from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from contract.artifact import MANIFEST, MEANS, NEAREST_MEAN, TOKENIZER, WEIGHTS, read_manifest, sha256
from contract.errors import BadArtifact, BadModel
from encoders import reference
from encoders.artifact_weights import read_classifier
from harness import reference_bert
from harness.reference_bert import logits, probabilities, sigmoid
from harness.tiny_artifact import GOLDEN_TEXTS, random_weights, tiny_architecture, tokenizer, write_tiny_artifact
from worker.engine.model import Model, load
from worker.engine.precision import Precision

TEXTS = [*GOLDEN_TEXTS, "how to join two tables in sql", "x " * 60, "why?", "sort a list with a null pointer"] * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_artifact(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load(folder, "float32")


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.02)])
def test_packed_predictions_equal_those_of_the_plain_reference(folder: Path, precision, tolerance) -> None:  # type: ignore[no-untyped-def]
    model = load(folder, precision)
    texts = [text.ids for text in model.tokenizer.encode(TEXTS)]
    weights = random_weights(tiny_architecture(), 3, seed=0)
    expected = [probabilities(weights, tiny_architecture(), ids.tolist(), temperature=1.5) for ids in texts]
    assert np.abs(model.predict(texts) - np.array(expected)).max() <= tolerance


def test_a_model_of_several_labels_scores_each_by_itself(tmp_path: Path) -> None:
    model = load(write_tiny_artifact(tmp_path, thresholds=(0.2, 0.5, 0.9)), "float32")
    texts = [text.ids for text in model.tokenizer.encode(TEXTS)]
    weights = random_weights(tiny_architecture(), 3, seed=0)
    expected = [sigmoid(logits(weights, tiny_architecture(), ids.tolist()) / 1.5) for ids in texts]
    assert np.abs(model.predict(texts) - np.array(expected)).max() <= 1e-5


def test_behind_the_probabilities_of_a_text_lie_its_logits(model: Model) -> None:
    texts = [text.ids for text in model.tokenizer.encode(TEXTS)]
    weights = random_weights(tiny_architecture(), 3, seed=0)
    expected = [logits(weights, tiny_architecture(), ids.tolist()) / 1.5 for ids in texts]
    np.testing.assert_allclose(model.run_all(texts)[:, 3:], expected, atol=1e-5)


@pytest.fixture
def told_by_means(tmp_path: Path) -> Path:
    """An artifact that tells how far a text is from two of the golden ones."""
    folder = write_tiny_artifact(tmp_path)
    manifest, weights = json.loads((folder / MANIFEST).read_text()), random_weights(tiny_architecture(), 3, seed=0)
    read = [
        reference_bert.pooled(weights, tiny_architecture(), tokenizer(32).encode(text).ids) for text in GOLDEN_TEXTS
    ]
    means = np.array([each / np.linalg.norm(each) for each in read[:2]], np.float32)
    save_file({MEANS: means}, folder / "means.safetensors")
    for golden, each in zip(manifest["golden"], read, strict=True):
        golden["distance"] = reference_bert.distance(each, means)
    manifest["unfamiliar"] = {"method": NEAREST_MEAN, "threshold": 0.25, "file": "means.safetensors"}
    manifest["files"]["means.safetensors"] = sha256(folder / "means.safetensors")
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.02)])
def test_behind_the_logits_lies_the_distance_from_what_was_learnt(
    told_by_means: Path, precision: Precision, tolerance: float
) -> None:
    model = load(told_by_means, precision)
    texts = [text.ids for text in model.tokenizer.encode(TEXTS)]
    weights, means = random_weights(tiny_architecture(), 3, seed=0), load_file(told_by_means / "means.safetensors")
    expected = [
        reference_bert.distance(reference_bert.pooled(weights, tiny_architecture(), ids.tolist()), means[MEANS])
        for ids in texts
    ]
    np.testing.assert_allclose(model.run_all(texts)[:, 6], expected, atol=tolerance)
    assert max(expected) > 0.1


def test_an_artifact_whose_distances_are_others_than_its_trainers_is_refused(told_by_means: Path) -> None:
    manifest = json.loads((told_by_means / MANIFEST).read_text())
    manifest["golden"][2]["distance"] += 0.05
    (told_by_means / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BadArtifact, match=r"sort a list in python!.*the distance differs by 0.05"):
        load(told_by_means, "float32")


@pytest.mark.parametrize("means", [np.ones((2, 31), np.float32), np.ones(32, np.float32)])
def test_means_of_another_width_are_refused(told_by_means: Path, means: np.ndarray) -> None:
    save_file({MEANS: means}, told_by_means / "means.safetensors")
    _sign(told_by_means)
    with pytest.raises(BadModel, match=r"means is \["):
        load(told_by_means)


def test_a_way_to_tell_unfamiliar_texts_that_is_not_known_marks_nothing(told_by_means: Path) -> None:
    manifest = json.loads((told_by_means / MANIFEST).read_text())
    manifest["unfamiliar"]["method"] = "energy"
    (told_by_means / MANIFEST).write_text(json.dumps(manifest))
    model = load(told_by_means, "float32")
    assert model.run_all([np.array([2, 3], np.int32)]).shape == (1, 6)
    assert model.manifest.unfamiliar_above is None


def test_nothing_is_traced_or_compiled_after_loading(model: Model) -> None:
    generator = np.random.default_rng(0)
    for count in (1, 2, 3, 7, 40, 200):
        model.predict([np.full(length, 5, np.int32) for length in generator.integers(2, 33, count)])
    assert model.retraces == 0


def test_a_plan_respects_the_bound_on_its_tokens(model: Model) -> None:
    assert model.plan([32] * 100).shape.tokens == model.batch_tokens
    assert model.plan([32] * 100, max_tokens=128).shape.tokens == 128
    assert model.plan([32] * 100, max_tokens=1).texts


def test_run_answers_the_planned_texts_in_the_plans_order(model: Model) -> None:
    texts = [text.ids for text in model.tokenizer.encode(TEXTS)]
    plan = model.plan([len(ids) for ids in texts])
    found = model.run(texts, plan)[:, : len(model.manifest.labels)]
    alone = [model.predict([texts[index]])[0] for index in plan.texts]
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_a_golden_text_with_another_answer_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["golden"][1]["probabilities"].reverse()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BadArtifact, match="i wrote a loop that i can not exit"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop("bert.pooler.dense.bias"), "lacks bert.pooler.dense.bias"),
        (lambda weights: weights.update({"cls.extra": weights["classifier.bias"]}), "has cls.extra"),
        (
            lambda weights: weights.update({"classifier.bias": weights["bert.pooler.dense.bias"]}),
            r"classifier.bias is \[32\]",
        ),
    ],
)
def test_a_tensor_that_is_missing_extra_or_misshapen_is_named(tmp_path: Path, change, named) -> None:  # type: ignore[no-untyped-def]
    folder = write_tiny_artifact(tmp_path)
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    _sign(folder)
    with pytest.raises(BadModel, match=named):
        load(folder)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path)
    with (folder / TOKENIZER).open("a") as file:
        file.write("more\n")
    with pytest.raises(BadArtifact, match="sha256"):
        load(folder)


SCHEMA_1 = Path(__file__).parents[1] / "golden" / "artifact_schema_1"


GOLDEN = read_manifest(SCHEMA_1).golden


def test_an_artifact_of_schema_1_is_served_as_before() -> None:
    model = load(SCHEMA_1, choice="float32")

    answers = model.predict([text.ids for text in model.tokenizer.encode([each.text for each in GOLDEN])])

    assert model.manifest.labels == ("java", "python", "sql")
    np.testing.assert_allclose(answers, [each.probabilities for each in GOLDEN], atol=1e-5)


def test_scores_of_several_labels_are_calibrated_each_by_itself(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path, temperature=1.0)
    plain = load(folder, choice="float32")
    document = json.loads((folder / MANIFEST).read_text())
    scaling = [{"scale": 2.0, "shift": -1.0}, {"scale": 1.0, "shift": 0.0}, {"scale": 0.5, "shift": 0.25}]
    weights = read_classifier(folder, plain.manifest)
    texts = plain.tokenizer.encode([each["text"] for each in document["golden"]])
    logits = np.array([reference.logits(weights, plain.manifest.architecture, text.ids) for text in texts])
    expected = 1 / (1 + np.exp(-(logits * [2.0, 1.0, 0.5] + [-1.0, 0.0, 0.25])))
    golden = [{**each, "probabilities": row.tolist()} for each, row in zip(document["golden"], expected, strict=True)]
    document |= {"activation": "sigmoid", "label_calibration": scaling, "golden": golden}
    (folder / MANIFEST).write_text(json.dumps(document))

    found = load(folder, choice="float32").predict([text.ids for text in texts])

    np.testing.assert_allclose(found, expected, atol=1e-5)


def _sign(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: sha256(folder / name) for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
