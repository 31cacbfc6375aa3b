"""A classifier that was fine-tuned elsewhere as a version on the volume: golden texts, and scores if texts are given.

The golden answers come from `encoders.reference`, which shares nothing with the engine that will have to match them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from contract.artifact import MANIFEST, WEIGHTS, Golden, Manifest, Provenance
from encoders import reference
from encoders.tokenization import TextTokenizer
from encoders.weights import arrange
from training.artifact.export import package_versions, version_name, write_files
from training.artifact.store import Store
from training.data.table import Table
from training.pretrained.classifier import PretrainedClassifier

if TYPE_CHECKING:
    from training.artifact.imported_scores import Evaluation

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


def add_imported(
    model: PretrainedClassifier,
    store: Store,
    table: Table | None = None,
    started: float | None = None,
    console: Console | None = None,
) -> Manifest:
    """Add the classifier to the store, scored on `table` if there is one; whether it is served is left to the caller.

    Raises BadData when the table does not suit the model's labels.
    """
    started = time.monotonic() if started is None else started
    evaluation = _evaluated(model, table) if table else None
    fields: Mapping[str, Any] = evaluation.manifest_fields if evaluation else {"activation": model.activation}
    provenance = Provenance(
        origin="imported",
        created=datetime.now(UTC),
        base_model=model.name,
        base_sha256=model.sha256,
        data_sha256=table.sha256 if table else None,
        packages=package_versions(),
        duration_s=round(time.monotonic() - started, 1),
    )
    with store.staging() as staged:
        if evaluation:
            evaluation.write_report(store.name, provenance, staged, console or Console())
        files = write_files(model.tensors, model.pipeline, staged)
        manifest = Manifest(
            name=store.name,
            version=version_name(provenance.created, files[WEIGHTS]),
            architecture=model.architecture,
            pooling=model.pooling,
            tokenizer=model.tokenizer,
            labels=model.labels,
            other=table.other if table and model.activation == "softmax" else None,
            max_length=model.max_length,
            files=files,
            golden=golden_answers(model, evaluation),
            provenance=provenance,
            **{"calibrated_on": 0, "metrics": {}, **fields},
        )
        (staged / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return store.add(staged)


def golden_answers(model: PretrainedClassifier, evaluation: Evaluation | None = None) -> tuple[Golden, ...]:
    """GOLDEN_TEXTS with the model's answers, calibrated as those of the held-out texts are."""
    found = logits(model, GOLDEN_TEXTS)
    rows = evaluation.held.calibrated(found) if evaluation else reference.probabilities(found, model.activation)
    return tuple(
        Golden(text=text, probabilities=tuple(map(float, row.astype(np.float32))))
        for text, row in zip(GOLDEN_TEXTS, rows, strict=True)
    )


def logits(model: PretrainedClassifier, texts: Sequence[str]) -> Floats:
    """float32[texts, labels]: what the reference says of each text."""
    weights = arrange(model.tensors, model.architecture, model.pooling)
    encoded = TextTokenizer(model.pipeline, model.tokenizer, model.max_length).encode(texts)
    rows = [reference.logits(weights, model.architecture, text.ids, np.float32) for text in encoded]
    return np.array(rows, np.float32)


def _evaluated(model: PretrainedClassifier, table: Table) -> Evaluation:
    from training.artifact.imported_scores import evaluate  # scikit-learn, which takes longer to import than the rest

    return evaluate(table, model.labels, model.activation, lambda texts: logits(model, texts))
