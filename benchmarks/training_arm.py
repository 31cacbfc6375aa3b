"""Fine-tunes, for an epoch whenever a line comes in, by the code of any release since 0.1.0, and prints the seconds.

`python -P benchmarks/training_arm.py EXAMPLES PRECISION` with PYTHONPATH at that release; EXAMPLES is an .npz of padded
`ids` and `labels`. An epoch has the same batches each time, and the first ones in every release.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from training.data.batches import Examples, bucket_lengths, fill, plan_epoch
from training.fit.step import Trainer
from training.hyperparameters import HyperParameters, Precision
from training.pretrained import minilm

BATCH, RATE = 32, 1e-5


def main(path: str, precision: Precision) -> None:
    with np.load(path) as arrays:
        padded, labels = arrays["ids"], arrays["labels"]
    examples = Examples([row[row != 0] for row in padded], labels)
    parameters = HyperParameters(batch_size=BATCH, precision=precision)
    trainer = trainer_of(int(labels.max()) + 1, parameters)
    buckets = bucket_lengths(examples.lengths, parameters.buckets)
    plan = plan_epoch(examples.lengths, buckets, BATCH, seed=1, epoch=0)
    for _ in sys.stdin:
        started = time.perf_counter()
        for number, planned in enumerate(plan):
            batch = fill(examples, planned, BATCH)
            trainer.step(batch, batch.weights / batch.weights.sum(), RATE, number)
        print(time.perf_counter() - started, flush=True)


def trainer_of(classes: int, parameters: HyperParameters) -> Any:
    """The bundled base model with a head that knows nothing; 0.1.0 made one itself."""
    base = minilm.load()
    try:
        from training.evaluation.linear_head import LinearHead
        from training.fit.start import Start
    except ImportError:
        older: Any = Trainer
        return older(base, classes, parameters)
    hidden = base.architecture.hidden_size
    head = LinearHead(np.zeros((classes, hidden), np.float32), np.zeros(classes, np.float32))
    return Trainer(base=base, start=Start(pooling="mean", strength=1.0, head=head), parameters=parameters)


if __name__ == "__main__":
    main(sys.argv[1], "bfloat16" if sys.argv[2] == "bfloat16" else "float32")
