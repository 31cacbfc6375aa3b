"""What a worker answers to the held-out texts of artifacts: `python -m tests.predict_as_worker FOLDER...`.

Prints a line per text, with the float32 probability of each label.
"""

from __future__ import annotations

import sys
from pathlib import Path

from encoders.windows import row_of_windows
from training.artifact import held_out
from worker.engine.model import load


def main(folder: Path) -> None:
    model = load(folder, "float32")
    texts = [answer.text for answer in held_out.read(folder)]
    manifest, labels = model.manifest, len(model.manifest.labels)
    windows = manifest.windows_of(None)
    for text in model.tokenizer.encode(texts, windows=windows, most=sys.maxsize):
        rows = model.run_all(text.windows)
        row = row_of_windows(rows, labels, windows.pooling, manifest.activation) if windows and text.more else rows[0]
        print(*row[:labels])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
