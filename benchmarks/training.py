"""`python -m benchmarks.training DATA [MAX_LENGTH]`: how fast fine-tuning is, against stock `model.fit`.

Both arms fine-tune the bundled MiniLM on the same texts of a CSV (columns `post,tags`), batches of 32, and take turns,
epoch by epoch, so that what else the machine does hits both. Stock: bert-for-tf2's layer as it comes, Keras's AdamW,
float32, every text padded to the maximum length. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from training.bert_compat import bert_layer, keras
from training.data.batches import Examples
from training.data.table import read_table
from training.evaluation.linear_head import LinearHead
from training.fit.checkpoint import Epoch
from training.fit.device import best_precision
from training.fit.loop import Parts, Run
from training.fit.progress import Step
from training.fit.start import Start
from training.hyperparameters import HyperParameters
from training.pretrained import minilm
from training.pretrained.base_model import BaseModel

TEXTS = 640
BATCH = 32
ROUNDS = 4


class Stock:
    """bert-for-tf2 and Keras as their documentation uses them."""

    def __init__(self, base: BaseModel, examples: Examples, classes: int, max_length: int) -> None:
        layer = bert_layer(base.architecture, dropout=0.1)
        ids, types = (keras.Input((max_length,), dtype="int32") for _ in range(2))
        pooled = keras.layers.Dense(base.architecture.hidden_size, activation="tanh")(layer([ids, types])[:, 0])
        logits = keras.layers.Dense(classes)(keras.layers.Dropout(0.1)(pooled))
        self._model = keras.Model([ids, types], logits)
        self._model.compile(
            keras.optimizers.AdamW(1e-4, weight_decay=0.01, global_clipnorm=1.0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        padded = np.zeros((len(examples), max_length), np.int32)
        for row, text in zip(padded, examples.ids, strict=True):
            row[: len(text)] = text
        self._inputs, self._labels = [padded, np.zeros_like(padded)], examples.labels

    def seconds(self) -> float:
        """What an epoch takes."""
        started = time.perf_counter()
        self._model.fit(self._inputs, self._labels, batch_size=BATCH, verbose=0)
        return time.perf_counter() - started


class Turns:
    """Watches the run; after each of its epochs the stock arm has its turn. The first turn of both compiles."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._started = 0.0
        self._steps_left = 0
        self.own: list[float] = []
        self.stock: list[float] = []

    def step(self, step: Step) -> None:
        """The epoch lasts from its first step's start to its last step's end, making the batches included."""
        per_epoch = step.steps // (ROUNDS + 1)
        place = step.number % per_epoch
        if place == 0:
            self._started = time.perf_counter() - step.seconds
        if place == per_epoch - 1:
            self.own.append(time.perf_counter() - self._started)

    def epoch(self, _: Epoch) -> None:
        self.stock.append(self._stock.seconds())


def measure(data: Path, max_length: int) -> dict[str, Any]:
    """Texts per second of both arms (medians over the epochs after the first), and their ratio."""
    base, examples, classes = _inputs(data, max_length)
    parameters = HyperParameters(
        max_length=max_length, epochs=ROUNDS + 1, batch_size=BATCH, patience=ROUNDS + 1, precision=best_precision()
    )
    few = Examples(examples.ids[:8], examples.labels[:8])
    with tempfile.TemporaryDirectory() as folder:
        turns = Turns(Stock(base, examples, classes, max_length))
        head = LinearHead(np.zeros((classes, base.architecture.hidden_size), np.float32), np.zeros(classes, np.float32))
        start, parts = Start(pooling="mean", strength=1.0, head=head), Parts(examples, few, classes)
        Run(
            base=base,
            parts=parts,
            start=start,
            parameters=parameters,
            folder=Path(folder),
            watchers=[turns],
            checkpoint_s=1e9,
        ).fit()
    own, stock = (len(examples) / statistics.median(times[1:]) for times in (turns.own, turns.stock))
    return {
        "data": data.name,
        "texts": len(examples),
        "mean_tokens": float(examples.lengths.mean()),
        "max_length": max_length,
        "precision": parameters.precision,
        "texts_per_second": round(own, 1),
        "stock_texts_per_second": round(stock, 1),
        "ratio": round(own / stock, 2),
    }


def _inputs(data: Path, max_length: int) -> tuple[BaseModel, Examples, int]:
    base, table = minilm.load(), read_table(data)
    rows = np.random.default_rng(0).permutation(len(table))[:TEXTS]
    number = {label: index for index, label in enumerate(table.classes)}
    texts = [table.texts[row] for row in rows]
    encoded = base.text_tokenizer(max_length).encode(texts)
    labels = np.array([number[table.labels[row]] for row in rows], np.int32)
    return base, Examples([text.ids for text in encoded], labels), len(number)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 128), indent=2))
