"""What a worker answers to the held-out texts of an artifact: `python -m tests.predict_as_worker FOLDER`.

Prints a line per text, with the float32 probability of each label.
"""

from __future__ import annotations

import sys
from pathlib import Path

from training.artifact import held_out
from worker.engine.model import load


def main(folder: Path) -> None:
    model = load(folder, "float32")
    texts = [answer.text for answer in held_out.read(folder)]
    for row in model.predict([encoded.ids for encoded in model.tokenizer.encode(texts)]):
        print(*row)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
