"""The score to beat: TF-IDF and logistic regression on the same split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

Labels = NDArray[np.int32]

WORD = r"(?u)\b\w[\w#+.-]*"
"""Words keep the signs of `c#`, `c++` and `node.js`."""


def predict(train: Sequence[str], labels: Labels, test: Sequence[str], seed: int) -> Labels:
    """What a linear model of word frequencies, fitted on `train`, says of `test`."""
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, token_pattern=WORD),
        LogisticRegression(C=10.0, max_iter=1000, random_state=seed),
    )
    model.fit(train, labels)
    predicted: Labels = model.predict(test).astype(np.int32)
    return predicted
