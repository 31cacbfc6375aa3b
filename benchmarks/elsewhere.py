"""`python -m benchmarks.elsewhere FOLDER`: what another trainer's model answers here, against its own answers.

FOLDER is what `tests/references/fine_tune.py` makes: a Hugging Face classifier with `answers.json` beside it. It is
imported and served in float32, and asked everything over HTTP. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from harness.process import ROOT
from harness.running_service import RunningService

TEXTS = 500
"""Of a request."""
WAIT_S = 60.0


@dataclass(frozen=True)
class AgreementWithTrainer:
    trainer: str
    texts: int
    other_labels: int
    """Texts whose best label is another one than the trainer's."""
    largest_difference: float
    """Of all scores of all texts."""


def measure(folder: Path) -> AgreementWithTrainer:
    own = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="retort-models-") as models:
        command = [sys.executable, "-m", "training", "import", str(folder), "--name", "elsewhere"]
        subprocess.run(command, env={**os.environ, "RETORT_MODELS_DIR": models}, cwd=ROOT, check=True)
        with RunningService(Path(models), "elsewhere", precision="float32") as service:
            served = np.array(list(_scores(service.url, own["texts"], own["labels"])))
    expected = np.array(own["scores"])
    return AgreementWithTrainer(
        trainer=f"transformers {own['transformers']}",
        texts=len(served),
        other_labels=int((served.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        largest_difference=float(np.abs(served - expected).max()),
    )


def _scores(url: str, texts: Sequence[str], labels: Sequence[str]) -> Iterator[NDArray[np.float64]]:
    """float64[labels] of each text, from all of its labels with their scores."""
    for start in range(0, len(texts), TEXTS):
        question = {"texts": texts[start : start + TEXTS], "top_k": len(labels)}
        answer = httpx.post(
            f"{url}/predict", json=question, headers={"Prefer": f"wait={WAIT_S:.0f}"}, timeout=2 * WAIT_S
        )
        answer.raise_for_status()
        for prediction in answer.json()["predictions"]:
            by_label = {each["label"]: each["score"] for each in prediction["top"]}
            yield np.array([by_label[label] for label in labels])


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1]))), indent=2))
