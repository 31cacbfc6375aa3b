"""How fast this machine multiplies matrices through TensorFlow. `python -m benchmarks.peak PRECISION` is an arm."""

from __future__ import annotations

import sys

from benchmarks.arm import serve
from worker.engine.tensorflow_env import tf

SIZE = 2048
PRODUCTS = 8
FLOPS = PRODUCTS * 2 * SIZE**3
"""Floating point operations of what is timed."""


def main() -> None:
    dtype = tf.as_dtype(sys.argv[1])
    left, right = (tf.cast(tf.random.normal((SIZE, SIZE)), dtype) for _ in range(2))
    product = tf.function(lambda left: tf.matmul(left, right), input_signature=[tf.TensorSpec((SIZE, SIZE), dtype)])
    product(left)

    def work(_: list[str]) -> None:
        for _product in range(PRODUCTS):
            product(left).numpy()

    serve(work)


if __name__ == "__main__":
    main()
