"""TensorFlow, with the settings that it reads from the environment when it is imported.

Use it as `from worker.engine.tensorflow_env import tf`: nothing else in the worker imports TensorFlow, so the order
can't go wrong. A variable that is already set is left alone.
"""

from __future__ import annotations

import logging
import os
import sys

from contract import native_stderr

SETTINGS = {
    # oneDNN then keeps each weight in the layout that its kernels read, instead of reordering it in every batch.
    # It holds for this process's every MatMul kernel: never train in a process that serves.
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
    # The thread that runs a batch does its share of each product, instead of waking another one and waiting for it.
    "TF_ONEDNN_THREADPOOL_USE_CALLER_THREAD": "1",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)

# TensorFlow imports Keras if it can, which takes nearly as long as itself and 150 MB. A worker builds its own graph.
_without_keras = "keras" not in sys.modules
if _without_keras:
    sys.modules["keras"] = None  # type: ignore[assignment]  # makes its import fail
with native_stderr.logged(logging.getLogger(__name__)):
    import tensorflow as tf

if _without_keras:
    del sys.modules["keras"]

__all__ = ["tf"]
