"""Trains on one and on two virtual CPU devices: `python -m tests.train_on_replicas BASE FOLDER`.

Prints the losses of each as JSON. A process of its own: devices can only be divided before TensorFlow uses them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tests.base_models import random_head
from training.bert_compat import tf
from training.data.batches import Examples
from training.evaluation.linear_head import LinearHead
from training.fit.loop import Parts, Run
from training.fit.start import Start
from training.hyperparameters import HyperParameters
from training.pretrained import hugging_face

PARAMETERS = HyperParameters(epochs=1, batch_size=7, learning_rate=1e-3, dropout=0.0, max_length=16, buckets=1)


def main(base: Path, folder: Path) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    parts = Parts(_examples(40, seed=1), _examples(10, seed=2), labels=3)
    for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
        work = folder / str(len(devices))
        work.mkdir()
        strategy = tf.distribute.MirroredStrategy(devices)
        model = hugging_face.load(base, "tiny")
        start = Start(
            pooling="mean", strength=10.0, head=LinearHead(*random_head(model.architecture, 3, seed=1).values())
        )
        state = Run(base=model, parts=parts, start=start, parameters=PARAMETERS, folder=work, strategy=strategy).fit()
        print(json.dumps([*state.losses, state.history[0].validation_loss]))


def _examples(count: int, seed: int) -> Examples:
    generator = np.random.default_rng(seed)
    ids = [generator.integers(5, 60, generator.integers(3, 16)).astype(np.int32) for _ in range(count)]
    return Examples(ids, generator.integers(0, 3, count).astype(np.int32))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
