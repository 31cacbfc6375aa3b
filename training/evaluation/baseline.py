"""The score to beat: TF-IDF and logistic regression on the same split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from training.evaluation.linear_head import ABSENT, Floats, Labels

STRENGTH = 10.0
"""Inverse penalty."""

WORD = r"(?u)\b\w[\w#+.-]*"
"""Words keep the signs of `c#`, `c++` and `node.js`."""


def logits(train: Sequence[str], labels: Labels, parts: Sequence[Sequence[str]], seed: int) -> list[Floats]:
    """What a linear model of word frequencies, fitted on `train`, says of the texts of each part.

    float32[texts, classes], where `labels` are classes of which each occurs.
    """
    vectorizer, features = _word_frequencies(train)
    model = LogisticRegression(C=STRENGTH, max_iter=1000, random_state=seed).fit(features, labels)
    return [model.predict_log_proba(vectorizer.transform(texts)).astype(np.float32) for texts in parts]


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
