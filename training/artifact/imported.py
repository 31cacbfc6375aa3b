"""A classifier that was fine-tuned elsewhere as a version on the volume: golden texts, and scores if texts are given.

The golden answers come from `encoders.reference`, which shares nothing with the engine that will have to match them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contract.artifact import MANIFEST, WEIGHTS, Golden, Manifest, Provenance
from encoders import reference
from encoders.tokenization import TextTokenizer
from encoders.weights import arrange
from training.artifact.export import package_versions, version_name, write_files
from training.artifact.held_out import REPORT
from training.artifact.held_out import write as write_held_out
from training.artifact.store import Store
from training.data.table import Table
from training.errors import BadData
from training.evaluation.calibration import fit_temperature
from training.evaluation.evaluate import HeldOutPredictions, scores
from training.pretrained.classifier import PretrainedClassifier

Floats = NDArray[np.float32]

GOLDEN_TEXTS = (
    "",
    "OK",
    "How do I undo my last commit?",
    "Grüße aus Köln, naïve façade; ¿qué tal?",
    "Почему мой запрос ничего не возвращает?",
    "Γιατί δεν λειτουργεί αυτό;",
    "لماذا لا يعمل هذا الاستعلام؟",
    "मुझे यह त्रुटि क्यों मिल रही है?",
    "为什么这个查询没有结果？",
    "なぜこのループは終わらないのですか。",
    "왜 이 버튼이 작동하지 않나요?",
    "ทำไมปุ่มนี้ไม่ทำงาน",
    "deploy failed 😀 👩‍💻 again!!",
    "SELECT name FROM users WHERE id = 42; -- x[i]++ && y != NULL",
    "The parcel arrived late, the box was open and one of the three cups was broken. " * 2,
    "I have waited for an answer since Monday and nobody has told me whether my order was sent at all. " * 12,
)
"""Scripts, lengths and an overlong text. What they mean is no matter: the answers are this model's own."""
SEED = 1


@dataclass(frozen=True)
class Evaluation:
    """How an imported model does on labelled texts: temperature from one half of them, scores from the other."""

    temperature: float
    calibrated_on: int
    held: HeldOutPredictions


def add_imported(
    model: PretrainedClassifier, store: Store, table: Table | None = None, started: float | None = None
) -> Manifest:
    """Add the classifier to the store, scored on `table` if there is one; whether it is served is left to the caller.

    Raises BadData when the table has labels that the model does not.
    """
    started = time.monotonic() if started is None else started
    evaluation = evaluate(model, table) if table else None
    temperature = evaluation.temperature if evaluation else 1.0
    with store.staging() as staged:
        if evaluation:
            (staged / REPORT).mkdir()
            held = evaluation.held
            labels = [model.labels[number] for number in held.labels]
            write_held_out(held.texts, labels, held.probabilities, staged / REPORT)
        files = write_files(model.tensors, model.pipeline, staged)
        created = datetime.now(UTC)
        manifest = Manifest(
            name=store.name,
            version=version_name(created, files[WEIGHTS]),
            architecture=model.architecture,
            pooling=model.pooling,
            tokenizer=model.tokenizer,
            labels=model.labels,
            max_length=model.max_length,
            activation=model.activation,
            temperature=temperature,
            calibrated_on=evaluation.calibrated_on if evaluation else 0,
            files=files,
            metrics=_metrics(evaluation),
            golden=golden_answers(model, temperature),
            provenance=Provenance(
                origin="imported",
                created=created,
                base_model=model.name,
                base_sha256=model.sha256,
                data_sha256=table.sha256 if table else None,
                packages=package_versions(),
                duration_s=round(time.monotonic() - started, 1),
            ),
        )
        (staged / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return store.add(staged)


def golden_answers(model: PretrainedClassifier, temperature: float) -> tuple[Golden, ...]:
    """GOLDEN_TEXTS with the model's answers, computed in float64."""
    rows = _logits(model, GOLDEN_TEXTS, np.float64) / temperature
    return tuple(
        Golden(text=text, probabilities=tuple(map(float, row.astype(np.float32))))
        for text, row in zip(GOLDEN_TEXTS, reference.probabilities(rows, model.activation), strict=True)
    )


def evaluate(model: PretrainedClassifier, table: Table) -> Evaluation:
    """Fit the temperature on one half of the texts, drawn at random, and keep the other for the scores."""
    if model.activation == "sigmoid":
        raise BadData("a model of several labels a text can't be evaluated on a table with one label a text")
    if table.several:
        raise BadData("a model of one label a text can't be evaluated on a table with several")
    number = {label: index for index, label in enumerate(model.labels)}
    if unknown := sorted(set(table.labels) - number.keys()):
        raise BadData(f"the model has no label {', '.join(map(repr, unknown))}; it has {', '.join(model.labels)}")
    if len(table) < 2:
        raise BadData("a single text is too few to evaluate on")
    labels = np.array([number[label] for label in table.labels], np.int32)
    logits = _logits(model, table.texts, np.float32).astype(np.float32)
    order = np.random.default_rng(SEED).permutation(len(table))
    fitted, kept = order[: len(order) // 2], np.sort(order[len(order) // 2 :])
    temperature = fit_temperature(logits[fitted], labels[fitted])
    held = HeldOutPredictions(
        texts=[table.texts[row] for row in kept], labels=labels[kept], logits=logits[kept], temperature=temperature
    )
    return Evaluation(temperature, len(fitted), held)


def _logits(model: PretrainedClassifier, texts: Sequence[str], dtype: type[np.floating]) -> NDArray[np.floating]:
    weights = arrange(model.tensors, model.architecture, model.pooling)
    encoded = TextTokenizer(model.pipeline, model.tokenizer, model.max_length).encode(texts)
    return np.array([reference.logits(weights, model.architecture, text.ids, dtype) for text in encoded])


def _metrics(evaluation: Evaluation | None) -> dict[str, float]:
    if evaluation is None:
        return {}
    return scores(evaluation.held) | {"test_texts": float(len(evaluation.held.texts))}
