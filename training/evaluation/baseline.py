"""The score to beat: TF-IDF and logistic regression on the same split.

Where a text has one label, of many perhaps, the regression is one a label against all others by stochastic gradient
descent: a minute for 80,000 texts of 700 labels, where L-BFGS takes hours and all memory, and not less often right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from contract.processor import usable_cores
from training.evaluation.linear_head import ABSENT, Floats, Labels

STRENGTH = 10.0
"""Inverse penalty (the `C` of sklearn's LogisticRegression)."""
VISITS, FEWEST_EPOCHS, MOST_EPOCHS = 200_000, 5, 20
"""Steps that a regression takes, about, and bounds on how often it sees each text."""
LEAST = 1e-12
"""Probability of a class that is said to have none."""
WORD = r"(?u)\b\w[\w#+.-]*"
"""Words keep the signs of `c#`, `c++` and `node.js`."""


def logits(train: Sequence[str], labels: Labels, parts: Sequence[Sequence[str]], seed: int) -> list[Floats]:
    """What a linear model of word frequencies, fitted on `train`, says of the texts of each part.

    float32[texts, classes], where `labels` are classes of which each occurs.
    """
    vectorizer, features = _word_frequencies(train)
    epochs = min(max(VISITS // len(train), FEWEST_EPOCHS), MOST_EPOCHS)
    model = SGDClassifier(
        loss="log_loss", alpha=1 / (STRENGTH * len(train)), max_iter=epochs, tol=None, n_jobs=usable_cores(),
        random_state=seed,
    ).fit(features, labels)  # fmt: skip
    shares = (model.predict_proba(vectorizer.transform(texts)) for texts in parts)
    return [np.log(np.maximum(share, LEAST)).astype(np.float32) for share in shares]


def set_logits(train: Sequence[str], marks: Labels, parts: Sequence[Sequence[str]], seed: int) -> list[Floats]:
    """The same with a model a label, where a text may have any number: `marks` int32[texts, labels]."""
    vectorizer, features = _word_frequencies(train)
    others = [vectorizer.transform(texts) for texts in parts]
    found = [np.full((len(texts), marks.shape[1]), ABSENT, np.float32) for texts in parts]
    for label in range(marks.shape[1]):
        if marks[:, label].all() or not marks[:, label].any():
            for part in found:
                part[:, label] *= -1.0 if marks[0, label] else 1.0
            continue
        model = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=seed).fit(features, marks[:, label])
        for part, texts in zip(found, others, strict=True):
            part[:, label] = model.decision_function(texts)
    return found


def _word_frequencies(train: Sequence[str]) -> tuple[TfidfVectorizer, Any]:
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD)
    return vectorizer, vectorizer.fit_transform(train)
