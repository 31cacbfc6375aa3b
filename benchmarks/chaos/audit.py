"""What became of every accepted job, and how long the service took to get over each fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.chaos.clients import Clients, Job
from benchmarks.chaos.faults import Fault


@dataclass(frozen=True)
class Recovery:
    """All faults of one kind. Recovery is the time until every job that was in flight at the fault had its answer."""

    fault: str
    times: int
    in_flight_median: float
    recovery_median_s: float
    recovery_p95_s: float
    recovery_max_s: float


def jobs_figures(clients: Sequence[Clients]) -> dict[str, float]:
    verdicts = Counter(job.verdict for each in clients for job in each.jobs)
    return {
        "jobs_accepted": sum(verdicts.values()),
        "jobs_lost": verdicts["lost"],
        "jobs_wrong": verdicts["wrong"],
        "jobs_stuck": verdicts["stuck"],
    }


def recoveries(faults: Sequence[Fault], jobs: Sequence[Job]) -> list[Recovery]:
    kinds = dict.fromkeys(fault.kind for fault in faults)
    return [_recovery(kind, [fault for fault in faults if fault.kind == kind], jobs) for kind in kinds]


def _recovery(kind: str, faults: Sequence[Fault], jobs: Sequence[Job]) -> Recovery:
    times = [recovery_s(fault, jobs) for fault in faults]
    flights = [fault.in_flight for fault in faults]
    return Recovery(kind, len(faults), median(flights), median(times), percentile(times, 95), max(times))


def recovery_s(fault: Fault, jobs: Sequence[Job]) -> float:
    """From the fault to the end of the last job that was open at that moment; 0 when none was."""
    return max((job.ended - fault.at for job in jobs if job.created <= fault.at < job.ended), default=0.0)


def percentile(values: Sequence[float], share: int) -> float:
    if len(values) < 2:
        return max(values, default=float("nan"))
    return quantiles(values, n=100, method="inclusive")[share - 1]


def blemishes(clients: Clients) -> list[dict[str, Any]]:
    """Every job that is not right, for whoever has to find out why."""
    return [
        {"id": job.id, "verdict": job.verdict, "texts": job.texts, "created": job.created, "detail": job.detail}
        for job in clients.jobs
        if job.verdict != "right"
    ]
