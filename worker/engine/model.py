"""A loaded model: what the inference loop plans with and runs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import artifact
from contract import windows as windowing
from contract.artifact import Golden, Manifest
from contract.errors import BadArtifact
from encoders.artifact_weights import read_classifier
from encoders.tokenization import Ids, TextTokenizer, read_tokenizer
from encoders.windows import row_of_windows
from worker.engine import packing, runtimes
from worker.engine.encoder import Encoder, Runtime
from worker.engine.packing import BatchPlan, Grid, Shape
from worker.engine.precision import TOLERANCE, Choice, Precision
from worker.engine.runtimes import RuntimeChoice

log = logging.getLogger(__name__)

Probabilities = NDArray[np.float32]
Rows = NDArray[np.float32]
WARM_RUNS = 2


class Model:
    """One version of a model, warm, in memory.

    `tokenizer` may be used by any thread; `run` and `predict` by one at a time. Between two batches:

        plan = model.plan([len(text.ids) for text in waiting])      # most urgent first
        rows = model.run([text.ids for text in waiting], plan)
        for index, row in zip(plan.texts, rows): ...                # what the answer for waiting[index] is made of
    """

    def __init__(self, *, manifest: Manifest, tokenizer: TextTokenizer, encoder: Encoder, shapes: list[Shape]) -> None:
        self.manifest = manifest
        self.tokenizer = tokenizer
        self.use_shapes(shapes)
        self.seconds_per_token = float("inf")
        """Of a full batch, once the model is warm."""
        self._traces_when_warm = 0
        self._encoder = encoder
        self._cost: Callable[[Shape], float] = packing.estimated_cost

    def use_shapes(self, shapes: list[Shape]) -> None:
        """Plan batches of these shapes from now on."""
        self.shapes = shapes
        self.batch_tokens = max(shape.tokens for shape in shapes)
        """Tokens of the largest batch."""
        self.brief_tokens = self.batch_tokens
        """Tokens of the largest batch that is soon over."""

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def precision(self) -> Precision:
        return self._encoder.precision

    @property
    def runtime(self) -> Runtime:
        return self._encoder.runtime

    @property
    def retraces(self) -> int:
        """Times that a batch function was traced or compiled since the model was warm: 0, as every shape was run."""
        return self._encoder.traces - self._traces_when_warm

    def plan(self, lengths: Sequence[int], max_tokens: int | None = None) -> BatchPlan:
        """The next batch from texts of these lengths in tokens, most urgent first; the first one is always in it.

        `max_tokens` bounds the tokens computed, where memory does not suffice for `batch_tokens`. A shape of one row
        is always allowed. Raises ValueError when `lengths` is empty or its first exceeds the model's maximum.
        """
        bound = self.batch_tokens if max_tokens is None else max_tokens
        allowed = [shape for shape in self.shapes if shape.tokens <= bound or shape.rows == 1]
        return packing.plan(lengths, allowed, self._cost)

    def run(self, texts: Sequence[Ids], plan: BatchPlan) -> Rows:
        """float32[len(plan.texts), columns] of the plan's texts, in its order: each label's probability, each label's
        logit, and the distance from what was learnt if the manifest has a bound for it.

        `texts` are the ids that the plan was made for, those it left out included. Raises what the runtime raises.
        """
        grid = self._encoder(packing.lay_out(texts, plan))
        return grid[[place.row for place in plan.places], [place.slot for place in plan.places]]

    def predict(self, texts: Sequence[Ids], max_tokens: int | None = None) -> Probabilities:
        """float32[len(texts), labels]: probabilities of any number of texts, in their order; see `plan`."""
        return self.run_all(texts, max_tokens)[:, : len(self.manifest.labels)]

    def run_all(self, texts: Sequence[Ids], max_tokens: int | None = None) -> Rows:
        """The same with all columns, as `run` gives them."""
        answers = np.empty((len(texts), self._encoder.columns), np.float32)
        waiting = list(range(len(texts)))
        while waiting:
            plan = self.plan([len(texts[index]) for index in waiting], max_tokens)
            taken = [waiting[index] for index in plan.texts]
            answers[taken] = self.run([texts[index] for index in waiting], plan)
            left = set(waiting) - set(taken)
            waiting = [index for index in waiting if index in left]
        return answers

    def warm_up(self) -> None:
        """Run every shape, so that none is compiled while a request waits, and plan by the time that each takes."""
        seconds = {shape: self._seconds(shape) for shape in self.shapes}
        self._cost = seconds.__getitem__
        full_s = max(seconds[shape] for shape in self.shapes if shape.tokens == self.batch_tokens)
        self.seconds_per_token = full_s / self.batch_tokens
        self.brief_tokens = packing.brief_tokens(seconds, full_s)
        self._traces_when_warm = self._encoder.traces

    def _seconds(self, shape: Shape) -> float:
        """The least of some runs after a first one: what else the machine does can only add to it."""
        parts = [(shape.rows, shape.length)] * 3 + [(shape.rows, shape.slots)]
        times = []
        for _ in range(1 + WARM_RUNS):
            started = time.perf_counter()
            self._encoder(Grid(*(np.zeros(part, np.int32) for part in parts)))
            times.append(time.perf_counter() - started)
        return min(times[1:])


def load(
    folder: Path,
    choice: Choice = "auto",
    batch_tokens: int | None = None,
    runtime: RuntimeChoice = "auto",
) -> Model:
    """The artifact in `folder`: verified, by the fastest runtime and precision that agree with its trainer, warm.

    `choice` fixes the precision, `batch_tokens` the size of a full batch. Takes seconds; safe beside a running model.
    Raises BadModel when a file, a tensor or the vocabulary is wrong or a golden text gets another answer.
    """
    manifest = artifact.verify(folder)
    tokenizer = read_tokenizer(folder, manifest.tokenizer, manifest.max_length)
    if tokenizer.vocabulary_size > manifest.architecture.vocab_size:
        raise BadArtifact(f"{folder / manifest.tokenizer.file}: has more tokens than the model has embeddings")
    weights = read_classifier(folder, manifest)
    tokens = batch_tokens or packing.batch_tokens(manifest.architecture, runtimes.on_gpu())
    shapes = packing.shapes(manifest.max_length, tokens)
    contenders = (
        Model(
            manifest=manifest,
            tokenizer=tokenizer,
            encoder=runtimes.encoder(by, weights, manifest, precision),
            shapes=shapes,
        )
        for by, precision in runtimes.kinds(runtime, choice)
    )
    model, seconds = _fastest_that_agrees(contenders, folder)
    if not batch_tokens and not runtimes.on_gpu():
        model.use_shapes(packing.shapes(manifest.max_length, packing.more_tokens(tokens, seconds)))
    model.warm_up()
    return model


def _fastest_that_agrees(contenders: Iterable[Model], folder: Path) -> tuple[Model, float]:
    """The model, and its seconds for a full batch. Raises BadArtifact when none agrees with the golden texts."""
    fastest, least, refusals = None, math.inf, []
    for model in contenders:
        try:
            check_golden(model)
        except BadArtifact as error:
            refusals.append(f"{model.runtime} in {model.precision}: {error}")
            continue
        # By turns with the fastest so far: a moment in which the machine is slow must not decide between them.
        seconds = _seconds_per_batch([model, fastest] if fastest else [model])
        for each, seconds_of_it in seconds.items():
            how = (each.runtime, each.precision, seconds_of_it * 1000, each.batch_tokens)
            log.info("%s by %s in %s: %.0f ms for %d tokens", folder, *how)
        fastest, least = min(seconds.items(), key=lambda each: each[1])
    if fastest is None:
        raise BadArtifact(f"{folder}: {'; '.join(refusals)}")
    return fastest, least


def _seconds_per_batch(models: Sequence[Model], turns: int = 2, runs: int = 3) -> dict[Model, float]:
    """Of each, the least of some runs of a full batch: what else the machine does can only add to it.

    The first run of each turn does not count: the threads of the one before may still spin.
    """
    longest = np.ones(models[0].manifest.max_length, np.int32)
    texts = [longest] * max(1, models[0].batch_tokens // len(longest))
    plan = models[0].plan([len(longest)] * len(texts))
    least = dict.fromkeys(models, math.inf)
    for _ in range(turns):
        for model in models:
            for run in range(1 + runs):
                start = time.perf_counter()
                model.run(texts, plan)
                if run:
                    least[model] = min(least[model], time.perf_counter() - start)
    return least


def _whole_texts(model: Model, texts: Sequence[str]) -> Iterator[Rows]:
    """float32[columns] of each text, long ones in as many windows as are learnt from."""
    manifest, labels = model.manifest, len(model.manifest.labels)
    windows = manifest.windows_of(None)
    encoded = model.tokenizer.encode(texts, windows=windows, most=windowing.MOST)
    rows = iter(model.run_all([ids for text in encoded for ids in text.windows]))
    for text in encoded:
        own = np.array([next(rows) for _ in text.windows])
        in_windows = windows and text.more
        yield row_of_windows(own, labels, windows.pooling, manifest.activation) if windows and in_windows else own[0]


def check_golden(model: Model) -> None:
    """Raise BadArtifact when the model gives a golden text other probabilities, or another distance, than its trainer.

    The tolerance is that of the model's precision; within it another label can win only if two were about tied.
    """
    golden, tolerance = model.manifest.golden, TOLERANCE[model.precision]
    for each, found in zip(golden, _whole_texts(model, [each.text for each in golden]), strict=True):
        for what, difference in _differences(each, found).items():
            if not difference <= tolerance:  # NaN is refused too
                raise BadArtifact(
                    f"golden text {each.text[:40]!r}: {what} differs by {difference:.2g} from the trainer's, "
                    f"more than {tolerance:.2g}"
                )


def _differences(golden: Golden, row: NDArray[np.float32]) -> dict[str, float]:
    """By how much what the model says of the text is another than what its trainer said."""
    labels = len(golden.probabilities)
    found = {"a probability": float(np.abs(row[:labels] - np.asarray(golden.probabilities, np.float32)).max())}
    if golden.distance is not None and len(row) > 2 * labels:
        found["the distance"] = abs(float(row[-1]) - golden.distance)
    return found
