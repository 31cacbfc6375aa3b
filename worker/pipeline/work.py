"""The units of work: a chunk that was leased, and each of its texts on its way through the batcher."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Manifest
from contract.job_record import Lease
from contract.message import JobQueue, Lane
from contract.prediction import Options, TextRead
from contract.windows import LongReading
from encoders.windows import row_of_windows

if TYPE_CHECKING:
    from encoders.tokenization import Ids
    from worker.engine.model import Model

Row = NDArray[np.float32]


Source = tuple[str, str]
"""Where answers come from: a model's name and its version."""


class ChunkWork:
    """A leased chunk and the answers it has so far. One thread at a time writes to it; many may wait for it."""

    def __init__(self, lease: Lease, model: Model) -> None:
        self.lease = lease
        self.model = model
        self.answers: list[str] = [""] * len(lease.texts)
        """Each text's answer as JSON, empty until there is one."""
        self.errors = 0
        self.options = lease.options
        self.batch_key: object = self if lease.is_suspect else (model, lease.lane)
        """Texts share a batch only if this is equal: model and lane, or the chunk itself after a failed attempt."""
        self.tokens = 0
        """Of all its texts that the model reads."""
        self.waiting_tokens = 0
        """Of its texts that wait for the device: what it counts against its lane's bound."""
        self.started = False
        """Whether one of its texts has been on the device."""
        self.withdrawn = False
        """Whether its waiting texts were taken out of the queue: what comes back from the device is not wanted."""
        self.arrived = time.monotonic()
        self.expires = self.arrived + (lease.deadline_at_ms - lease.leased_ms) / 1000
        """On this process's monotonic clock: the time of day may be another here than it is in Redis."""
        self.steps: list[tuple[str, float, float]] = []
        """What was done to it: name, start and end on the monotonic clock."""
        self.settled = Event()
        """Set once its answers are committed, or once this worker has no more to do with it."""
        self._missing = len(lease.texts)

    @property
    def lane(self) -> Lane:
        return self.lease.lane

    @property
    def queue(self) -> JobQueue:
        return JobQueue(self.lease.model, self.lease.lane)

    @property
    def source(self) -> Source:
        return self.lease.model, self.model.version

    @property
    def queued_s(self) -> float:
        """Seconds from its job's admission to its lease."""
        return max(0, self.lease.leased_ms - self.lease.created_ms) / 1000

    def age_s(self) -> float:
        """Seconds since its job was admitted."""
        return self.queued_s + time.monotonic() - self.arrived

    def answer(self, index: int, answer: str, *, failed: bool = False) -> bool:
        """Put the answer of one text in its place; True when it was the last one missing."""
        if self.answers[index]:
            raise AssertionError(f"{self.lease.ticket}: text {index} is answered twice")
        self.answers[index] = answer
        self.errors += failed
        self._missing -= 1
        return self._missing == 0


class LongText:
    """What the model has said of the windows of one text, each of which waits, is computed and remembered as a text.

    One thread at a time writes to it.
    """

    def __init__(self, windows: int, pooling: LongReading) -> None:
        self.pooling = pooling
        self.failed = False
        """Whether the model failed on one of the windows."""
        self._rows: list[Row | None] = [None] * windows
        self._missing = windows

    def add(self, place: int, row: Row | None) -> bool:
        """Put the row of a window in its place, none when the model failed on it; whether all have come."""
        self._rows[place] = row
        self.failed |= row is None
        self._missing -= 1
        return self._missing == 0

    def row(self, manifest: Manifest) -> Row:
        """What `Model.run` would have said of the whole text. Once all have come, and none has failed."""
        # In the order of the text, whatever order the windows were computed in: sums of floats differ by it.
        rows = np.stack([row for row in self._rows if row is not None]).astype(np.float64)
        return row_of_windows(rows, len(manifest.labels), self.pooling, manifest.activation)


class TextWork:
    """One text that waits for a batch, or one window of it."""

    __slots__ = ("arrived", "chunk", "ids", "index", "key", "length", "long", "place", "read")

    def __init__(
        self,
        *,
        chunk: ChunkWork,
        index: int,
        ids: Ids,
        read: TextRead,
        long: LongText | None = None,
        place: int = 0,
    ) -> None:
        """`ids` is int32[tokens], `index` the text's place in the chunk, `place` a window's in the `long` text."""
        self.chunk = chunk
        self.index = index
        self.ids = ids
        self.read = read
        self.long = long
        self.place = place
        self.length = len(ids)
        self.key = ids.tobytes()
        """Equal for texts that the model can't tell apart."""
        self.arrived = chunk.arrived
        """Seconds on the batcher's clock."""

    @property
    def options(self) -> Options:
        return self.chunk.options
