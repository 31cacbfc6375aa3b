"""A whole service in simulated time: the scheduler's own code (batcher, planner, flow control), all else a cost.

API processes, Redis and each worker's processor are queues with a service time; a device takes a time for each shape.
So a thousand workers fit on one core, and the result is the same on any machine. What is left out: networks, processes
that die, and whatever makes the same work take longer at one time than at another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, cast

import numpy as np

from benchmarks.simulated_time import Clock, Server
from contract.job_record import Lease
from contract.message import JobQueue, Lane, Ticket
from contract.prediction import Options, TextRead
from worker.engine import packing
from worker.engine.packing import BatchPlan, Shape
from worker.pipeline.batcher import Batch, Batcher
from worker.pipeline.work import ChunkWork, TextWork
from worker.queueing.flow_control import FlowControl, tokens_ahead

if TYPE_CHECKING:
    from worker.engine.model import Model

MODEL = "simulated"
MAX_LENGTH = 256
MAX_AGE_S = 2.0
FOREVER_MS = 10**12
SERIAL_SHARE = 1 / 3
"""Part of a worker's processor time in which its device waits: plans, layout and answers are made between batches."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a worker computes on."""

    name: str
    batch_tokens: int
    full_batch_s: float
    least_batch_s: float
    """Of any batch, however small."""

    def seconds(self, shape: Shape) -> float:
        return max(self.least_batch_s, self.full_batch_s * shape.tokens / self.batch_tokens)


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Processor time in seconds, of requests of one size."""

    api_s: float
    """Of one API process for a request; half of it before the job is admitted."""
    redis_s: float
    """Of Redis for a request: a third each for its admission, its lease and its commit."""
    worker_s: float
    """Of the worker for a request, beside its device."""

    @property
    def beside_s(self) -> float:
        """Of `worker_s`, what is done while the device computes: messages, leases, tokens, commits."""
        return self.worker_s * (1 - SERIAL_SHARE)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened in a part of the simulated time."""

    texts_per_s: float
    """Of requests that were answered."""
    latencies_s: dict[Lane, list[float]]
    """Of requests, from their sending to their answer; ascending."""
    tokens: int
    """Real ones, of all batches that were begun."""
    device_s: float
    """Of all devices, for those batches."""
    devices_busy: float
    redis_busy: float
    api_busy: float
    """Shares of the time; of Redis without what workers take by being there."""


class SimulatedModel:
    """The planner's own plans, by the times of a device."""

    def __init__(self, device: Device, max_length: int) -> None:
        self.device = device
        self.batch_tokens = device.batch_tokens
        self.tokens_ahead = tokens_ahead(device.batch_tokens, device.full_batch_s / device.batch_tokens)
        self._shapes = packing.shapes(max_length, device.batch_tokens)
        brief = packing.brief_tokens({shape: device.seconds(shape) for shape in self._shapes}, device.full_batch_s)
        self._brief_shapes = [shape for shape in self._shapes if shape.tokens <= brief or shape.rows == 1]

    def plan(self, lengths: Sequence[int], brief: bool) -> BatchPlan:
        return packing.plan(lengths, self._brief_shapes if brief else self._shapes, self.device.seconds)


class SimulatedWorker:
    """Reads messages while its lanes are open, and runs one batch after the other."""

    def __init__(self, service: SimulatedService, model: SimulatedModel) -> None:
        self._service, self._clock, self._model = service, service.clock, model
        self._batcher = Batcher(MAX_AGE_S, service.clock)
        self._flow = FlowControl()
        self._flow.open(MODEL, dict.fromkeys(Lane, model.tokens_ahead))
        self._processor = Server(service.clock)
        self._is_reading = self._is_busy = False
        self.tokens, self.device_s = 0, 0.0
        """Real tokens of all batches that were begun, and the device's time for them."""

    def read(self) -> None:
        """Take the next message of an open lane; without one, wait to be woken."""
        if self._is_reading:
            return
        request = self._service.next_request([lane for lane in Lane if self._flow.is_open(JobQueue(MODEL, lane))])
        if request is None:
            self._service.await_request(self)
            return
        self._is_reading = True
        self._service.lease(request, lambda: self._processor.use(request.costs.beside_s, lambda: self._admit(request)))

    def _admit(self, request: Request) -> None:
        lease = Lease(
            ticket=Ticket(str(request.number), 0), attempt=1, model=MODEL, lane=request.lane, options=Options(),
            deadline_at_ms=FOREVER_MS, created_ms=0, leased_ms=0, texts=("",) * len(request.lengths),
        )  # fmt: skip
        chunk = ChunkWork(lease, cast("Model", self._model))
        chunk.arrived = self._clock.now
        self._service.running[chunk] = request
        # Texts are told apart by their ids, so that none is taken for another's copy.
        texts = [_text(chunk, request.number, index, length) for index, length in enumerate(request.lengths)]
        self._flow.hold(chunk.queue, sum(request.lengths))
        self._batcher.add(texts)
        self._is_reading = False
        self._run()
        self.read()

    def _run(self) -> None:
        """Begin the next batch, if the device is free and a text waits."""
        if self._is_busy or (batch := self._batcher.take(lambda _, *asked: self._model.plan(*asked))) is None:
            return
        self._is_busy = True
        seconds = self._model.device.seconds(batch.plan.shape)
        self.tokens += batch.plan.tokens
        self.device_s += seconds
        requests = [self._service.running[text.chunk] for text in batch.texts]
        between = sum(request.costs.worker_s / len(request.lengths) for request in requests) * SERIAL_SHARE
        self._flow.take(batch.queue, batch.plan.tokens)
        self._clock.after(seconds + between, lambda: self._end(batch))
        self.read()

    def _end(self, batch: Batch[BatchPlan]) -> None:
        for text in batch.texts:
            if text.chunk.answer(text.index, "{}"):
                self._flow.settle(text.chunk.queue, 0)
                self._service.commit(text.chunk)
        self._is_busy = False
        self._run()


@dataclass(frozen=True, kw_only=True)
class Request:
    """Texts of these lengths in tokens, sent together."""

    number: int
    lane: Lane
    lengths: Sequence[int]
    costs: Costs
    sent: float


class SimulatedService:
    """API, Redis and workers, and the clients that keep them busy."""

    def __init__(
        self, *, workers: int, device: Device, api_processes: int, lengths: Iterator[int], redis_per_worker: float = 0.0
    ) -> None:
        """`lengths` gives the length in tokens of one text after the other; `redis_per_worker` is the share of Redis'
        time that a worker takes by being there. Raises ValueError where the workers leave nothing of it."""
        self.clock = Clock()
        self.running: dict[ChunkWork, Request] = {}
        self._redis, self._api = Server(self.clock), Server(self.clock, api_processes)
        self._redis_left = 1 - workers * redis_per_worker
        if self._redis_left <= 0:
            raise ValueError(f"{workers} workers take all of Redis' time by being there")
        self._lengths = lengths
        self._queues: dict[Lane, deque[Request]] = {lane: deque() for lane in Lane}
        model = SimulatedModel(device, MAX_LENGTH)
        self._workers = [SimulatedWorker(self, model) for _ in range(workers)]
        self._waiting = deque(self._workers)
        self._numbers = count()
        self._answered: list[tuple[float, Request]] = []

    def run(
        self, *, clients: int, texts: int, costs: Costs, seconds: float, questions_per_s: float = 0.0,
        question_costs: Costs | None = None,
    ) -> Outcome:  # fmt: skip
        """What happens in `seconds`, after as many to warm up.

        Each of the clients sends so many texts of the bulk lane whenever its last request is answered; single questions
        come beside them at random moments, each with `question_costs`.
        """
        for _ in range(clients):
            self._send(Lane.BULK, texts, costs)
        if question_costs is not None and questions_per_s:
            for moment in np.cumsum(np.random.default_rng(0).exponential(1 / questions_per_s, 10**5)).tolist():
                if moment < 2 * seconds:
                    self.clock.after(moment, lambda: self._send(Lane.INTERACTIVE, 1, question_costs))
        self.clock.run_until(seconds)
        before = self._spent()
        self.clock.run_until(2 * seconds)
        tokens, device_s, redis_s, api_s = (now - then for now, then in zip(self._spent(), before, strict=True))
        answered = [(moment, request) for moment, request in self._answered if moment >= seconds]
        return Outcome(
            texts_per_s=sum(len(request.lengths) for _, request in answered) / seconds,
            latencies_s={
                lane: sorted(moment - request.sent for moment, request in answered if request.lane is lane)
                for lane in Lane
            },
            tokens=int(tokens),
            device_s=device_s,
            devices_busy=device_s / seconds / len(self._workers),
            redis_busy=redis_s / seconds,
            api_busy=api_s / seconds / self._api.processes,
        )

    def next_request(self, lanes: Sequence[Lane]) -> Request | None:
        """The message of these lanes that goes first."""
        return next((self._queues[lane].popleft() for lane in lanes if self._queues[lane]), None)

    def await_request(self, worker: SimulatedWorker) -> None:
        """Wake the worker when the next message comes."""
        self._waiting.append(worker)

    def lease(self, request: Request, then: Callable[[], None]) -> None:
        self._use_redis(request, then)

    def commit(self, chunk: ChunkWork) -> None:
        request = self.running.pop(chunk)
        self._use_redis(request, lambda: self._api.use(request.costs.api_s / 2, lambda: self._end(request)))

    def _use_redis(self, request: Request, then: Callable[[], None]) -> None:
        self._redis.use(request.costs.redis_s / 3 / self._redis_left, then)

    def _spent(self) -> tuple[float, float, float, float]:
        tokens = sum(worker.tokens for worker in self._workers)
        device_s = sum(worker.device_s for worker in self._workers)
        return tokens, device_s, self._redis.spent_s(), self._api.spent_s()

    def _send(self, lane: Lane, texts: int, costs: Costs) -> None:
        lengths = [next(self._lengths) for _ in range(texts)]
        request = Request(number=next(self._numbers), lane=lane, lengths=lengths, costs=costs, sent=self.clock.now)
        self._api.use(costs.api_s / 2, lambda: self._use_redis(request, lambda: self._push(request)))

    def _push(self, request: Request) -> None:
        self._queues[request.lane].append(request)
        for _ in range(len(self._waiting)):
            if not self._queues[request.lane]:
                return
            self._waiting.popleft().read()

    def _end(self, request: Request) -> None:
        self._answered.append((self.clock.now, request))
        if request.lane is Lane.BULK:
            self._send(request.lane, len(request.lengths), request.costs)


def _text(chunk: ChunkWork, request: int, index: int, length: int) -> TextWork:
    """A text of so many tokens, with ids like no other text's."""
    ids = np.zeros(length, np.int32)
    ids[:2] = request, index
    return TextWork(chunk=chunk, index=index, ids=ids, read=TextRead(tokens=length, truncated=False))
