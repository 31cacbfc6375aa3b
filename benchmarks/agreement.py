"""How far the engine's probabilities are from the trainer's Keras model's, and bfloat16's from float32's.

`python -m benchmarks.agreement ARTIFACT keras|float32|bfloat16 OUT.npy` reads texts as JSON from standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.plain import Plain
    from worker.engine.model import Model
    from worker.engine.precision import Choice

Probabilities = NDArray[np.float32]

TEXTS = 2000


def measure(artifact: Path) -> dict[str, float]:
    """The figures, on texts that the artifact's model was not trained on."""
    texts = held_out(artifact)
    keras, wide, narrow = (_probabilities(artifact, arm, texts) for arm in ("keras", "float32", "bfloat16"))
    return {
        "fp32_max_score_difference": float(np.abs(wide - keras).max()),
        "bf16_max_score_difference": float(np.abs(narrow - wide).max()),
        "bf16_label_agreement": float((narrow.argmax(axis=1) == wide.argmax(axis=1)).mean()),
    }


def held_out(artifact: Path, count: int = TEXTS, seed: int = 0) -> list[str]:
    """The artifact's held-out texts, then excerpts of them, each of at least half of a text's words."""
    lines = (artifact / "report" / "held_out.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [str(json.loads(line)["text"]) for line in lines]
    rng = np.random.default_rng(seed)
    sources = islice(cycle(texts), max(0, count - len(texts)))
    return [*texts, *(_excerpt(source.split(), rng) for source in sources)][:count]


def _excerpt(words: Sequence[str], rng: np.random.Generator) -> str:
    length = int(rng.integers((len(words) + 1) // 2, len(words) + 1))
    start = int(rng.integers(len(words) - length + 1))
    return " ".join(words[start : start + length])


def _probabilities(artifact: Path, arm: str, texts: Sequence[str]) -> Probabilities:
    with tempfile.NamedTemporaryFile(suffix=".npy") as out:
        command = [sys.executable, "-m", "benchmarks.agreement", str(artifact), arm, out.name]
        subprocess.run(command, input=json.dumps(list(texts)), text=True, check=True)
        answers: Probabilities = np.load(out.name)
    return answers


def _load(artifact: Path, arm: str) -> Plain | Model:
    if arm == "keras":
        from benchmarks.plain import Plain

        return Plain(artifact)
    from worker.engine.model import load

    return load(artifact, cast("Choice", arm))


def main() -> None:
    artifact, arm, out = sys.argv[1:]
    texts, model = json.load(sys.stdin), _load(Path(artifact), arm)
    np.save(out, model.predict([encoded.ids for encoded in model.tokenizer.encode(texts)]))


if __name__ == "__main__":
    main()
