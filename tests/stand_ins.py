"""Small real classes for tests without TensorFlow: what they answer depends on what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from contract.job_record import Lease
from contract.message import Lane, Ticket
from contract.prediction import Options, TextRead
from contract.windows import LongReading, Windows
from worker.engine import packing
from worker.engine.packing import BatchPlan
from worker.pipeline.work import ChunkWork, TextWork

if TYPE_CHECKING:
    from worker.engine.model import Model

LABELS = ("low", "high")
MAX_LENGTH = 64
FIRST, LAST = 1, 2
POISON = 666
"""A token that EchoModel fails on."""


class EchoModel:
    """Answers each text with numbers made from its token ids, so that answers that were crossed show."""

    def __init__(self, version: str = "v1", batch_tokens: int = 256) -> None:
        self.version = version
        self.manifest = SimpleNamespace(
            labels=LABELS,
            label_thresholds=None,
            version=version,
            activation="softmax",
            windows_of=windows_of,
            review_below=None,
            unfamiliar_above=None,
        )
        self.shapes = packing.shapes(MAX_LENGTH, batch_tokens)
        self.batch_tokens = batch_tokens
        self.brief_tokens = batch_tokens // 4
        self.seconds_per_token = float("inf")
        self.batches: list[list[NDArray[np.int32]]] = []
        """The texts of every batch that was run or tried."""
        self.fault: Callable[[BatchPlan], Exception | None] = lambda _: None

    def plan(self, lengths: Sequence[int], max_tokens: int | None = None) -> BatchPlan:
        bound = max_tokens or self.batch_tokens
        return packing.plan(lengths, [shape for shape in self.shapes if shape.tokens <= bound or shape.rows == 1])

    def run(self, texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> NDArray[np.float32]:
        chosen = [texts[index] for index in plan.texts]
        self.batches.append(chosen)
        if error := self.fault(plan):
            raise error
        if any(POISON in ids for ids in chosen):
            raise ValueError("poison")
        return np.array([[*echo(ids), *echo_logits(ids)] for ids in chosen], np.float32)

    def run_all(self, texts: Sequence[NDArray[np.int32]], max_tokens: int | None = None) -> NDArray[np.float32]:
        answers = np.zeros((len(texts), 2 * len(LABELS)), np.float32)
        left = list(range(len(texts)))
        while left:
            offered = [texts[index] for index in left]
            plan = self.plan([len(ids) for ids in offered], max_tokens)
            taken = [left[index] for index in plan.texts]
            answers[taken] = self.run(offered, plan)
            left = [index for index in left if index not in taken]
        return answers


def echo(ids: NDArray[np.int32]) -> list[float]:
    """float[2]: what EchoModel answers."""
    score = (int(np.dot(ids.astype(np.int64), np.arange(1, len(ids) + 1))) % 9973) / 9973
    return [1 - score, score]


def windows_of(long: LongReading | None) -> Windows | None:
    """A model that cuts texts off unless asked otherwise."""
    return Windows.usual(long, MAX_LENGTH) if long and long != "cut" else None


def echo_logits(ids: NDArray[np.int32]) -> list[float]:
    """float[2]: its logits, which are no others but in size."""
    return [8 * score for score in echo(ids)]


def as_model(model: EchoModel) -> Model:
    return cast("Model", model)


def ids_of(*body: int) -> NDArray[np.int32]:
    return np.array([FIRST, *body, LAST], np.int32)


def chunk_work(
    model: EchoModel,
    texts: int,
    *,
    job: str = "job",
    chunk: int = 0,
    lane: Lane = Lane.INTERACTIVE,
    name: str = "m",
    attempt: int = 1,
    expires_in_ms: int = 60_000,
) -> ChunkWork:
    """A leased chunk of so many texts."""
    lease = Lease(
        ticket=Ticket(job, chunk),
        attempt=attempt,
        model=name,
        lane=lane,
        options=Options(scores=True),
        deadline_at_ms=expires_in_ms,
        created_ms=0,
        leased_ms=0,
        texts=("text",) * texts,
    )
    return ChunkWork(lease, as_model(model))


def text_works(work: ChunkWork, bodies: Sequence[Sequence[int]], arrived: float | None = None) -> list[TextWork]:
    """The texts of the chunk, with these tokens between the first and the last."""
    made = [
        TextWork(chunk=work, index=index, ids=ids_of(*body), read=TextRead(tokens=2 + len(body), truncated=False))
        for index, body in enumerate(bodies)
    ]
    if arrived is not None:
        for text in made:
            text.arrived = arrived
    return made


def as_any(stand_in: object) -> Any:
    """Past the type checker, where a stand-in takes the place of a concrete class."""
    return stand_in
