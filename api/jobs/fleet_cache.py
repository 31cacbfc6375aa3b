"""What the fleet of workers said last: read from Redis once a second, so that requests need not ask."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.loop import Loop

log = logging.getLogger(__name__)

EVERY_S = 1.0


@dataclass(frozen=True)
class DrainRate:
    """What the ready workers of a model get through together; zero while nobody has measured it."""

    texts_per_s: float = 0.0
    bytes_per_s: float = 0.0


class FleetCache:
    """The live workers, as of the last refresh."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._workers: Sequence[WorkerStatus] = ()
        self._known = True
        self.refresh()
        self.loop = Loop("fleet-cache", self.refresh, pause_s=EVERY_S)
        self.loop.start()

    @property
    def workers(self) -> Sequence[WorkerStatus]:
        return self._workers

    def ready(self, model: str) -> list[WorkerStatus]:
        """The workers that take jobs of this model."""
        return [worker for worker in self._workers if worker.model == model and worker.state is WorkerState.READY]

    def rate(self, model: str) -> DrainRate:
        ready = self.ready(model)
        return DrainRate(sum(worker.texts_per_s for worker in ready), sum(worker.bytes_per_s for worker in ready))

    def refresh(self) -> None:
        """Read the heartbeats now; without Redis nobody is known to live."""
        try:
            self._workers, self._known = tuple(self._fleet.live()), True
        except StoreUnavailable as error:
            if self._known:
                log.warning("can't read the fleet", extra={"error": str(error)})
            self._workers, self._known = (), False

    def close(self) -> None:
        self.loop.stop()
