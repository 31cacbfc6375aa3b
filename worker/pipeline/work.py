"""The units of work: a chunk that was leased, and each of its texts on its way through the batcher."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from contract.job_record import Lease
from contract.message import Lane

if TYPE_CHECKING:
    from encoders.tokenization import Ids
    from worker.engine.model import Model


class ChunkWork:
    """A leased chunk and the answers it has so far. One thread at a time writes to it; many may wait for it."""

    def __init__(self, lease: Lease, model: Model) -> None:
        self.lease = lease
        self.model = model
        self.answers: list[str] = [""] * len(lease.texts)
        """Each text's answer as JSON, empty until there is one."""
        self.errors = 0
        self.tokens = 0
        """What it counts against its lane's bound while this worker holds it."""
        self.started = False
        """Whether one of its texts has been on the device."""
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
    def queued_s(self) -> float:
        """From its job's admission to its lease."""
        return max(0, self.lease.leased_ms - self.lease.created_ms) / 1000

    def age_s(self) -> float:
        """Since its job was admitted."""
        return self.queued_s + time.monotonic() - self.arrived

    @property
    def batch_key(self) -> object:
        """Texts share a batch only if this is equal: model and lane, or the chunk itself after a failed attempt."""
        return self if self.lease.is_suspect else (self.model, self.lane)

    def answer(self, index: int, answer: str, *, failed: bool = False) -> bool:
        """Put the answer of one text in its place; whether that was the last one missing."""
        if self.answers[index]:
            raise AssertionError(f"{self.lease.ticket}: text {index} is answered twice")
        self.answers[index] = answer
        self.errors += failed
        self._missing -= 1
        return self._missing == 0


@dataclass(eq=False, slots=True)
class TextWork:
    """One text that waits for a batch."""

    chunk: ChunkWork
    index: int
    """Its place in the chunk."""
    ids: Ids
    """int32[tokens]"""
    truncated: bool
    arrived: float = field(default_factory=time.monotonic)
    """Seconds on the batcher's clock."""

    @property
    def length(self) -> int:
        return len(self.ids)
