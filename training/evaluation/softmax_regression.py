"""Multinomial logistic regression, for many texts and many classes on few cores: sklearn's answer, in fewer steps.

L-BFGS takes about as many steps as directions are unequally curved. The features of an encoder lie close together in
most directions, so it is run in other coordinates: those in which the texts' covariance, which the loss's curvature
follows, is the same in every direction (the bound of Böhning 1992 is of that form). Some twenty steps are then enough.
Products are float32, and block by block, so that memory does not grow with texts times classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

BLOCK = 1 << 20
"""Logits that are computed at a time."""
TOLERANCE = 1e-4
"""Of the steepest derivative, as a share of the texts."""
FREE = 1e-4
"""Penalty of the intercepts, next to none."""


def softmax_regression(
    features: Floats, numbers: Numbers, classes: int, *, strength: float, weights: Floats | None, steps: int
) -> tuple[Floats, Floats]:
    """float32[classes, hidden] and float32[classes], coefficients and intercepts that fit best.

    `numbers` are those of the classes, each at least once; `strength` is sklearn's `C`, `weights` are of the texts.
    """
    return _Fit(features, numbers, classes, strength=strength, weights=weights).minimized(steps)


class _Fit:
    def __init__(
        self, features: Floats, numbers: Numbers, classes: int, *, strength: float, weights: Floats | None
    ) -> None:
        texts = len(features)
        self._numbers, self._classes = numbers, classes
        # sklearn has one row of coefficients for two classes: half as much is penalized.
        self._strength = strength / 2 if classes == 2 else strength
        self._weights = np.ones(texts, np.float32) if weights is None else weights
        extended = np.concatenate([features, np.ones((texts, 1), np.float32)], axis=1)
        penalty = np.append(np.ones(features.shape[1]), FREE)
        curvature = (extended * self._weights[:, None]).T @ extended
        root = np.linalg.cholesky(curvature.astype(np.float64) * (self._strength / classes) + np.diag(penalty))
        self._back = np.linalg.inv(root).T.astype(np.float32)
        """From the coordinates that are searched to coefficients."""
        self._features = extended @ self._back
        self._penalty = (self._back.T * penalty.astype(np.float32)) @ self._back

    def minimized(self, steps: int) -> tuple[Floats, Floats]:
        width = len(self._back)
        bound = TOLERANCE * self._strength * len(self._features) / self._classes
        found = minimize(
            self._loss,
            np.zeros(width * self._classes),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps, "gtol": bound, "ftol": 1e-8},
        )
        coefficients = self._back @ found.x.astype(np.float32).reshape(width, self._classes)
        return coefficients[:-1].T, coefficients[-1]

    def _loss(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The penalized loss of coefficients, and its gradient."""
        own = flat.astype(np.float32).reshape(-1, self._classes)
        penalized = self._penalty @ own
        loss, gradient = 0.5 * float(np.sum(own * penalized)), penalized
        for rows in self._blocks():
            features, numbers, weights = self._features[rows], self._numbers[rows], self._weights[rows]
            logits = features @ own
            logits -= logits.max(axis=1, keepdims=True)
            right = np.arange(len(numbers)), numbers
            of_right = logits[right]
            np.exp(logits, out=logits)
            sums = logits.sum(axis=1)
            loss += self._strength * float(np.sum(weights * (np.log(sums) - of_right), dtype=np.float64))
            logits *= (weights / sums)[:, None]
            logits[right] -= weights
            gradient = gradient + self._strength * (features.T @ logits)
        return loss, gradient.astype(np.float64).ravel()

    def _blocks(self) -> Iterator[slice]:
        size = max(1, BLOCK // self._classes)
        return (slice(start, start + size) for start in range(0, len(self._features), size))
