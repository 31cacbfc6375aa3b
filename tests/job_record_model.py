"""What a job record is to be, in plain Python: what tests/integration/test_job_record_model.py compares Redis with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from contract.job_record import JobState, dump_texts
from contract.message import Lane

MAX_ATTEMPTS = 2
OPEN = ("queued", "leased", "running")
HELD = ("leased", "running")


@dataclass
class ModelChunk:
    texts: tuple[str, ...]
    state: str = "queued"
    attempts: int = 0
    worker: str = ""
    result: str | None = None

    @property
    def size(self) -> int:
        return len(dump_texts(self.texts).encode())

    def is_held_by(self, worker: str) -> bool:
        return self.state in HELD and self.worker == worker


@dataclass
class ModelJob:
    lane: Lane
    due: bool
    """Whether its deadline has passed already."""
    chunks: list[ModelChunk]
    state: JobState = JobState.QUEUED
    ends: Counter[JobState] = field(default_factory=Counter)

    @property
    def is_open(self) -> bool:
        return self.state.is_open

    def end(self, state: JobState) -> None:
        self.state = state
        self.ends[state] += 1

    def abandon(self, state: JobState) -> None:
        for chunk in self.chunks:
            if chunk.state in OPEN:
                chunk.state = "dropped"
        self.end(state)

    def settle(self) -> None:
        if not any(chunk.state in OPEN for chunk in self.chunks):
            self.end(JobState.FAILED if any(chunk.state == "dead" for chunk in self.chunks) else JobState.SUCCEEDED)

    def queue_again(self, chunk: ModelChunk, failed: bool) -> bool:
        """Whether its ticket is to be sent."""
        chunk.attempts += failed
        if chunk.attempts >= MAX_ATTEMPTS:
            chunk.state = "dead"
            self.settle()
            return False
        chunk.state, chunk.worker = "queued", ""
        return True
