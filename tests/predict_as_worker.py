"""What a worker answers to the held-out texts of artifacts: `python -m tests.predict_as_worker FILE FOLDER...`.

Writes a line per text to the file, with the float32 probability of each label.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from encoders.windows import row_of_windows
from training.artifact import held_out
from worker.engine.model import load


def main(folder: Path, out: TextIO) -> None:
    model = load(folder, "float32")
    texts = [answer.text for answer in held_out.read(folder)]
    manifest, labels = model.manifest, len(model.manifest.labels)
    windows = manifest.windows_of(None)
    for text in model.tokenizer.encode(texts, windows=windows, most=sys.maxsize):
        rows = model.run_all(text.windows)
        row = row_of_windows(rows, labels, windows.pooling, manifest.activation) if windows and text.more else rows[0]
        print(*row[:labels], file=out)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8") as answers:
        for argument in sys.argv[2:]:
            main(Path(argument), answers)
