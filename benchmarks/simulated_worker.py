"""`python -m benchmarks.simulated_worker SECONDS`: a worker whose device only sleeps, so for a full batch of a GPU.

Everything before and after the device is the worker's own: queue, tokens, plans, layout, answers, commit. With 0
seconds it shows what the way to the device costs, with 0.03 how well a GPU would be fed.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contract import artifact
from worker import logs
from worker.engine import device, packing
from worker.engine.encoder import Runtime
from worker.engine.packing import GPU_TOKENS, Grid
from worker.engine.precision import Precision
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from worker.engine.model import Model

LEAST_S = 0.002
"""Of any batch on a device that takes time: a GPU launches some hundred kernels for it."""


class SleepingEncoder:
    """Sleeps in proportion to the tokens of a batch's shape, and says the same of every text: it takes no processor."""

    runtime: Runtime = "tensorflow"
    precision: Precision = "float32"
    traces = 0

    def __init__(self, labels: int, full_batch_s: float) -> None:
        self._labels = labels
        self.columns = 2 * labels
        self._full_batch_s = full_batch_s

    def __call__(self, grid: Grid) -> NDArray[np.float32]:
        if self._full_batch_s:
            time.sleep(max(LEAST_S, self._full_batch_s * grid.ids.size / GPU_TOKENS))
        return self._answers(grid.cls_positions.shape)

    @cache  # noqa: B019 there is one for as long as the process lives
    def _answers(self, slots: tuple[int, ...]) -> NDArray[np.float32]:
        found = np.full((*slots, self._labels), 0.5 / (self._labels - 1), np.float32)
        found[..., 0] = 0.5
        return np.concatenate([found, np.log(found)], axis=-1)


def load_simulated(folder: Path, full_batch_s: float) -> Model:
    """The artifact's tokenizer and labels in front of a device that sleeps."""
    from encoders.tokenization import read_tokenizer
    from worker.engine.model import Model

    manifest = artifact.verify(folder)
    tokenizer = read_tokenizer(folder, manifest.tokenizer, manifest.max_length)
    encoder = SleepingEncoder(len(manifest.labels), full_batch_s)
    shapes = packing.shapes(manifest.max_length, GPU_TOKENS)
    model = Model(manifest=manifest, tokenizer=tokenizer, encoder=encoder, shapes=shapes)
    model.warm_up()
    return model


def main() -> None:
    full_batch_s, settings = float(sys.argv[1]), WorkerSettings.load()
    claim = device.claim(settings.claims_dir, "cpu")
    logs.configure(settings.log_level)
    device.show_to_tensorflow(claim)
    from worker.process import WorkerProcess  # imports TensorFlow, which must see no GPU

    WorkerProcess(settings, claim, lambda folder: load_simulated(folder, full_batch_s)).run()


if __name__ == "__main__":
    main()
