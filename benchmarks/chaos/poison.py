"""What texts that the model fails on cost the others: one in a hundred, against none."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks import artifacts
from benchmarks.texts import mixed
from contract.job_record import Lease
from contract.message import Lane, Ticket
from contract.prediction import Options, TextRead
from worker.engine.model import Model, Rows, load
from worker.engine.packing import BatchPlan
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.inference import Inference
from worker.pipeline.work import ChunkWork, TextWork

TEXTS, CHUNK, EVERY, ROUNDS = 1000, 50, 100, 5
Ids = NDArray[np.int32]
READ = TextRead(tokens=0, truncated=False)


class Allergic:
    """A model that computes a batch and then fails, if one of the poisonous texts is in it."""

    def __init__(self, model: Model, poison: Sequence[Ids]) -> None:
        self.__dict__.update(model.__dict__)
        self._poison = {ids.tobytes() for ids in poison}

    version, precision = Model.version, Model.precision
    plan, run_all = Model.plan, Model.run_all

    def run(self, texts: Sequence[Ids], plan: BatchPlan) -> Rows:
        answers = Model.run(self, texts, plan)  # type: ignore[arg-type]
        if any(texts[index].tobytes() in self._poison for index in plan.texts):
            raise ValueError("this text is poisonous")
        return answers


def measure(models: Path) -> dict[str, float]:
    """Share of the throughput that one poisonous text per hundred costs. Raises if any other text lacks its answer."""
    model = load(artifacts.write(models, "minilm"))
    texts = [text.ids for text in model.tokenizer.encode(mixed(TEXTS))]
    poison = texts[EVERY // 2 :: EVERY]
    rates: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for poisoned in rates:
            rates[poisoned].append(_rate(model, texts, poison if poisoned else []))
    return {"poison_throughput_loss": 1 - median(rates[True]) / median(rates[False])}


def _rate(model: Model, texts: Sequence[Ids], poison: Sequence[Ids]) -> float:
    """Texts a second."""
    done: SimpleQueue[ChunkWork] = SimpleQueue()
    inference = Inference(
        batcher=Batcher(2.0),
        start_suspect=lambda _: True,
        on_complete=done.put,
        is_out_of_memory=lambda _: False,
        on_taken=lambda _queue, _tokens: None,
        on_paid=lambda _model, _seconds: None,
        cache=AnswerCache(0),
    )
    allergic: Model = Allergic(model, poison)  # type: ignore[assignment]
    chunks = range(0, len(texts), CHUNK)
    for start in chunks:
        work = ChunkWork(_lease(start), allergic)
        chunk = enumerate(texts[start : start + CHUNK])
        inference.add([TextWork(chunk=work, index=n, ids=ids, read=READ) for n, ids in chunk])
    started = time.perf_counter()
    inference.start()
    works = [done.get() for _ in chunks]
    took_s = time.perf_counter() - started
    inference.stop()
    failed = sum("error" in json.loads(answer) for work in works for answer in work.answers)
    if failed != len(poison):
        raise AssertionError(f"{failed} texts have an error, {len(poison)} are poisonous")
    return len(texts) / took_s


def _lease(number: int) -> Lease:
    return Lease(
        ticket=Ticket("job", number),
        attempt=1,
        model="m",
        lane=Lane.BULK,
        options=Options(),
        deadline_at_ms=10**9,
        created_ms=0,
        leased_ms=0,
        texts=("",) * CHUNK,
    )
