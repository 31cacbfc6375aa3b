"""How much may wait, when there will be room, and how long a job still takes: all from the fleet's measured rate."""

from __future__ import annotations

import math
from typing import TypedDict

from api.jobs.fleet_cache import DrainRate, FleetCache
from api.settings import ApiSettings
from contract.job_record import Backlog, JobStatus
from contract.job_store import Bounds, JobStore
from contract.message import Lane

UNKNOWN_RETRY_S = 5
LONGEST_RETRY_S = 3600


class Outlook(TypedDict):
    """Where an open job stands in its lane."""

    texts_ahead: int
    seconds_left: float | None


def bounds(texts: int, size: int, seconds: float, rate: DrainRate) -> Bounds:
    """The tighter of the fixed bounds and what the fleet drains in `seconds`, where that is known."""
    if rate.texts_per_s > 0:
        texts = min(texts, math.ceil(rate.texts_per_s * seconds))
    if rate.bytes_per_s > 0:
        size = min(size, math.ceil(rate.bytes_per_s * seconds))
    return Bounds(texts, size)


def retry_after_s(backlog: Backlog, texts: int, size: int, allowed: Bounds, rate: DrainRate) -> int:
    """Seconds until `texts` texts of `size` bytes fit under the bounds, or an empty lane would take them anyway."""

    def seconds(waiting: int, more: int, bound: int, per_s: float) -> float:
        surplus = min(waiting, waiting + more - bound)
        if surplus <= 0:
            return 0
        return surplus / per_s if per_s > 0 else UNKNOWN_RETRY_S

    by_texts = seconds(backlog.texts, texts, allowed.texts, rate.texts_per_s)
    by_bytes = seconds(backlog.bytes, size, allowed.bytes, rate.bytes_per_s)
    return min(max(math.ceil(max(by_texts, by_bytes)), 1), LONGEST_RETRY_S)


class Backpressure:
    """The bounds of each lane, as the settings and the fleet have them now."""

    def __init__(self, jobs: JobStore, fleet: FleetCache, settings: ApiSettings) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._fixed = {
            Lane.INTERACTIVE: (settings.backlog_texts, settings.backlog_bytes, settings.backlog_s),
            Lane.BULK: (settings.bulk_backlog_texts, settings.bulk_backlog_bytes, settings.bulk_backlog_s),
        }

    def bounds(self, model: str, lane: Lane) -> Bounds:
        return bounds(*self._fixed[lane], self._fleet.rate(model))

    def retry_after_s(self, model: str, backlog: Backlog, texts: int, size: int, allowed: Bounds) -> int:
        return retry_after_s(backlog, texts, size, allowed, self._fleet.rate(model))

    def outlook(self, status: JobStatus) -> Outlook:
        """Texts that still go before the job, and seconds until its end. Raises StoreUnavailable."""
        drained = self._jobs.backlog(status.model, status.lane).drained - status.drained
        ahead = max(status.ahead - drained, 0)
        rate = self._fleet.rate(status.model).texts_per_s
        left = ahead + status.texts - status.done
        return {"texts_ahead": ahead, "seconds_left": round(left / rate, 1) if rate > 0 else None}
