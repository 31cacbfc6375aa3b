"""Everything the views work with, wired in one place."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from api.jobs.backpressure import Backpressure
from api.jobs.events import JobEvents
from api.jobs.fleet_cache import FleetCache
from api.jobs.reader import JobReader
from api.jobs.submitter import JobSubmitter
from api.settings import ApiSettings
from contract.errors import NoModel
from contract.fleet import Fleet
from contract.job_store import JobStore
from contract.model_store import ModelStore
from contract.redis_client import connect


@dataclass(frozen=True)
class AppContext:
    """One set per process, with its threads."""

    settings: ApiSettings
    store: redis.Redis
    jobs: JobStore
    submitter: JobSubmitter
    events: JobEvents
    reader: JobReader
    fleet: FleetCache
    backpressure: Backpressure
    models: ModelStore

    @classmethod
    def start(cls, settings: ApiSettings) -> AppContext:
        client = connect(settings, max_connections=settings.api_connections)
        jobs = JobStore(client, settings, settings.idempotency_ttl_s)
        events = JobEvents(client)
        fleet = FleetCache(Fleet(client, settings))
        return cls(
            settings=settings,
            store=client,
            jobs=jobs,
            submitter=JobSubmitter(client, jobs, settings),
            events=events,
            reader=JobReader(jobs, events),
            fleet=fleet,
            backpressure=Backpressure(jobs, fleet, settings),
            models=ModelStore(settings.models_dir),
        )

    def knows(self, model: str) -> bool:
        """Whether a version of the model is published or a live worker serves it."""
        if any(worker.model == model for worker in self.fleet.workers):
            return True
        try:
            self.models.current(model)
        except NoModel:
            return False
        return True

    def close(self) -> None:
        """Finish what has come in and end the threads."""
        self.submitter.close()
        self.reader.close()
        self.events.close()
        self.fleet.close()
        self.store.close()
