"""What the fleet of workers said last: read from Redis once a second, so that requests need not ask."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, ServedModel, WorkerState, WorkerStatus
from contract.loop import Loop
from contract.selection import Selection

log = logging.getLogger(__name__)

EVERY_S = 1.0


@dataclass(frozen=True)
class DrainRate:
    """What the ready workers of a model get through together; zero while nobody has measured it."""

    texts_per_s: float = 0.0
    bytes_per_s: float = 0.0


class FleetCache:
    """The live workers and what is served, as of the last refresh."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._workers: Sequence[WorkerStatus] = ()
        self._lately = Selection(())
        self._known = True
        self.refresh()
        self.loop = Loop("fleet-cache", self.refresh, pause_s=EVERY_S)
        self.loop.start()

    @property
    def workers(self) -> Sequence[WorkerStatus]:
        return self._workers

    @property
    def models(self) -> set[str]:
        """Every model that a live worker serves or is to serve."""
        return {each.model for worker in self._workers for each in worker.models}

    def ready(self, model: str) -> list[ServedModel]:
        """What those workers say of the model that have it in memory and take jobs of it."""
        found = (worker.of(model) for worker in self._workers)
        return [each for each in found if each is not None and each.state is WorkerState.READY]

    def served(self) -> list[str]:
        """The models that some worker takes jobs of, sorted."""
        taken = (WorkerState.READY, WorkerState.UNLOADED)
        return sorted({each.model for worker in self._workers for each in worker.models if each.state in taken})

    def nobody_will_serve(self, model: str) -> bool:
        """True when workers live, and neither they nor one that may be starting again would ever take the model's jobs.

        While no worker is known to live, nobody can say: jobs are kept for those that come.
        """
        others = [worker for worker in self._workers if not worker.would_serve(model)]
        return len(others) == len(self._workers) > 0 and model not in self._lately

    def rate(self, model: str) -> DrainRate:
        ready = self.ready(model)
        return DrainRate(sum(worker.texts_per_s for worker in ready), sum(worker.bytes_per_s for worker in ready))

    def refresh(self) -> None:
        """Read the heartbeats now; without Redis nobody is known to live."""
        try:
            self._workers, self._lately = tuple(self._fleet.live()), self._fleet.served_lately()
            self._known = True
        except StoreUnavailable as error:
            if self._known:
                log.warning("can't read the fleet", extra={"error": str(error)})
            self._workers, self._known = (), False

    def close(self) -> None:
        self.loop.stop()
