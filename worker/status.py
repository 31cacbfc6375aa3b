"""What this worker says of itself with every heartbeat."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.fleet import ServedModel, WorkerState, WorkerStatus
from contract.selection import Selection
from worker.pipeline.model_follower import ModelFollower
from worker.pipeline.model_manager import ModelManager
from worker.pipeline.throughput import Throughput


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """Reads the status off the parts of the worker."""

    id: str
    host: str
    device: str
    selection: Selection
    models: ModelManager
    throughput: Throughput
    is_draining: Callable[[], bool]
    complaint: Callable[[], str | None]
    """Why the newest models may not be known."""
    pid: int = field(default_factory=os.getpid)

    def __call__(self) -> WorkerStatus:
        """The status now. What it says of a model itself is of the default one, or of the first that there is."""
        models = tuple(map(self._of, self.models.followers))
        first = models[0] if models else ServedModel(model=self.selection.default, state=self._state(None))
        return WorkerStatus(
            id=self.id,
            host=self.host,
            pid=self.pid,
            device=self.device,
            models=models,
            every=self.selection.every,
            complaint=self.complaint(),
            **first.model_dump(),
        )

    def _of(self, follower: ModelFollower) -> ServedModel:
        rate = self.throughput.rate(follower.name)
        loaded = follower.loaded
        return ServedModel(
            model=follower.name,
            state=self._state(follower),
            precision=loaded.precision if loaded else None,
            version=loaded.version if loaded else None,
            refused=dict(follower.refused),
            texts_per_s=rate.texts,
            bytes_per_s=rate.bytes,
        )

    def _state(self, follower: ModelFollower | None) -> WorkerState:
        if self.is_draining():
            return WorkerState.DRAINING
        return follower.state if follower else WorkerState.WAITING_FOR_MODEL
