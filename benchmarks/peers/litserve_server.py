"""LitServe with PyTorch: `python -m benchmarks.peers.litserve_server FOLDER PRECISION PORT`, answering `/predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve
import numpy as np

from benchmarks.peers.engines import PaddedModel, Scores, pytorch

REQUESTS, WAIT_S = 32, 0.01
"""It answers so many requests at a time, and waits so long for more of them."""
BUDGET = 2048


class Classifier(litserve.LitAPI):  # type: ignore[misc]  # without types where it is not installed
    """Each request has texts; those of all requests at hand are sorted and run together."""

    def __init__(self, folder: Path, precision: str) -> None:
        super().__init__(max_batch_size=REQUESTS, batch_timeout=WAIT_S)
        self._folder, self._precision = folder, precision

    def setup(self, _device: str) -> None:
        self._model = PaddedModel(self._folder, pytorch(self._folder, self._precision), BUDGET)

    # LitServe takes an annotation for the names of an address's parameters.
    def decode_request(self, request) -> list[str]:  # type: ignore[no-untyped-def]
        return list(request["texts"])

    def batch(self, requests: Sequence[list[str]]) -> list[list[str]]:
        return list(requests)

    def predict(self, requests: Sequence[list[str]]) -> list[Scores]:
        logits = self._model.logits([text for texts in requests for text in texts])
        probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return np.split(probabilities, np.cumsum([len(texts) for texts in requests])[:-1])

    def unbatch(self, found: Sequence[Scores]) -> list[Scores]:
        return list(found)

    def encode_response(self, found: Scores) -> dict[str, Any]:
        best = found.argmax(axis=1)
        rows = zip(best, found, strict=True)
        return {"predictions": [{"label": f"label-{label}", "score": float(row[label])} for label, row in rows]}


def main() -> None:
    folder, precision, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    server = litserve.LitServer(Classifier(folder, precision), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
