"""Which texts go next: policy without a device, a process or a clock of its own.

There is no timer. The device asks when it is free and takes what waits: with little load a text goes alone and at once,
with much load batches fill by themselves. The interactive lane goes first, and in each lane the oldest text. Once a
text of the bulk lane has waited longer than the age bound, that lane gets every second batch: so neither starves, and a
short question waits for one bulk batch at most.

All texts of a batch belong to the model version and the lane of the first of them. So models take turns by the age of
what waits for them, and since a worker lets little of each wait (worker/queueing/flow_control.py), none waits for more
than two batches of each other one. A short question would pay for the
bulk texts that fill up its batch. While short questions come in, batches of the bulk lane are brief, because the next
question has to wait for the running one. A chunk whose first attempt failed, perhaps by bringing its worker down,
shares no batch with others.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from contract.message import JobQueue, Lane
from worker.pipeline.work import ChunkWork, Source, TextWork

if TYPE_CHECKING:
    from worker.engine.model import Model


class Plan(Protocol):
    """What `worker.engine.packing` says of the next batch."""

    @property
    def texts(self) -> Sequence[int]:
        """Indices, into the lengths that were planned for, of the texts in the batch; never none."""


P = TypeVar("P", bound=Plan)

WINDOW = 512
"""Texts that a plan may choose from, to fill the holes of a batch; more where two full batches hold more."""
BRIEF_FOR_S = 2.0
"""After an interactive text, batches of the bulk lane are brief for so long."""


@dataclass(frozen=True)
class Batch(Generic[P]):
    """What goes to the device next."""

    offered: Sequence[TextWork]
    """The texts that the plan was made for, no two of them equal."""
    plan: P
    copies: Mapping[bytes, Sequence[TextWork]] = field(default_factory=dict)
    """By key, the texts that are equal to one of the batch: its answer is theirs too."""

    @property
    def model(self) -> Model:
        return self.offered[0].chunk.model

    @property
    def queue(self) -> JobQueue:
        return self.offered[0].chunk.queue

    @property
    def source(self) -> Source:
        return self.offered[0].chunk.source

    @property
    def is_full(self) -> bool:
        """True when texts were left waiting that could have gone with it."""
        return len(self.plan.texts) < len(self.offered)

    @property
    def texts(self) -> list[TextWork]:
        """The offered texts that the plan took."""
        return [self.offered[index] for index in self.plan.texts]

    def with_copies(self, texts: Sequence[TextWork]) -> Sequence[TextWork]:
        """Texts of the batch, each followed by those that are equal to it."""
        if not self.copies:
            return texts
        return [each for text in texts for each in (text, *self.copies.get(text.key, ()))]


class Batcher:
    """The texts that wait on one device. Not safe to share by threads; see worker/pipeline/inference.py."""

    def __init__(self, max_age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_s = max_age_s
        self._clock = clock
        self._lanes: dict[Lane, deque[TextWork]] = {lane: deque() for lane in Lane}
        self._chunks: Counter[ChunkWork] = Counter()
        """How many texts of each chunk wait."""
        self._last_interactive = float("-inf")
        self._last_lane = Lane.BULK

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def add(self, texts: Sequence[TextWork]) -> None:
        """Let texts wait. Those of a lane must be added in the order of their arrival."""
        for text in texts:
            self._lanes[text.chunk.lane].append(text)
            if text.chunk.lane is Lane.INTERACTIVE:
                self._last_interactive = text.arrived
        self._chunks.update([text.chunk for text in texts])

    def put_back(self, texts: Sequence[TextWork]) -> None:
        """Let texts of one lane wait again that were taken: at its front, in this order."""
        self._lanes[texts[0].chunk.lane].extendleft(reversed(texts))
        self._chunks.update([text.chunk for text in texts])

    def oldest_age_s(self) -> float:
        """How long the longest waiting text has waited; 0 when none waits."""
        return max((self._clock() - lane[0].arrived for lane in self._lanes.values() if lane), default=0.0)

    def take(self, plan: Callable[[Model, Sequence[int], bool], P]) -> Batch[P] | None:
        """The next batch, removed from what waits; None only when nothing waits.

        `plan` gets the model, the token counts of what may go next, most urgent first, and whether to be brief.
        """
        offered, copies = self._candidates()
        if not offered:
            return None
        first = offered[0].chunk
        self._last_lane = first.lane
        brief = first.lane is Lane.BULK and self._clock() - self._last_interactive < BRIEF_FOR_S
        planned = plan(first.model, [text.length for text in offered], brief)
        taken = [offered[index] for index in planned.texts]
        shared = {text.key: copies[text.key] for text in taken if text.key in copies} if copies else {}
        self._remove(chain(taken, *shared.values()))
        return Batch(offered, planned, shared)

    def remove_chunks(self, predicate: Callable[[ChunkWork], bool]) -> set[ChunkWork]:
        """Remove every text of the chunks for which `predicate` holds, and return those chunks."""
        removed = {chunk for chunk in self._chunks if predicate(chunk)}
        if removed:
            for lane, texts in self._lanes.items():
                self._lanes[lane] = deque(text for text in texts if text.chunk not in removed)
            for chunk in removed:
                del self._chunks[chunk]
                chunk.withdrawn = True
        return removed

    def _candidates(self) -> tuple[list[TextWork], dict[bytes, list[TextWork]]]:
        """The texts that may go next, no two of them equal, and by key those that are equal to one of them."""
        waiting = self._lanes[self._next_lane()]
        offered: dict[bytes, TextWork] = {}
        copies: dict[bytes, list[TextWork]] = {}
        if not waiting:
            return [], copies
        batch_key, tokens = waiting[0].chunk.batch_key, 0
        enough = 2 * waiting[0].chunk.model.batch_tokens
        for text in waiting:
            if text.chunk.batch_key != batch_key:
                continue
            if offered.setdefault(text.key, text) is not text:
                copies.setdefault(text.key, []).append(text)
                continue
            tokens += text.length
            if tokens >= enough and len(offered) >= WINDOW:
                break
        return list(offered.values()), copies

    def _next_lane(self) -> Lane:
        interactive, bulk = self._lanes[Lane.INTERACTIVE], self._lanes[Lane.BULK]
        if not (interactive and bulk):
            return Lane.INTERACTIVE if interactive else Lane.BULK
        overdue = self._clock() - bulk[0].arrived >= self._max_age_s
        return Lane.BULK if overdue and self._last_lane is Lane.INTERACTIVE else Lane.INTERACTIVE

    def _remove(self, chosen: Iterable[TextWork]) -> None:
        gone = set(chosen)
        chunks = Counter([text.chunk for text in gone])
        for chunk, count in chunks.items():
            self._chunks[chunk] -= count
            if not self._chunks[chunk]:
                del self._chunks[chunk]
        texts = self._lanes[next(iter(chunks)).lane]
        kept = []
        while gone:
            text = texts.popleft()
            if text in gone:
                gone.remove(text)
            else:
                kept.append(text)
        texts.extendleft(reversed(kept))
