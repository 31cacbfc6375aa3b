"""Everything the views work with, wired in one place."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from api.jobs.admission import Admission
from api.jobs.events import Waiters
from api.jobs.fleet_cache import FleetWatch
from api.jobs.reader import Follower
from api.jobs.submitter import Intake
from api.settings import ApiSettings
from contract.errors import NoModel
from contract.fleet import Fleet
from contract.job_store import Jobs
from contract.model_store import ModelStore
from contract.redis_client import connect


@dataclass(frozen=True)
class Services:
    """One set per process, with its threads."""

    settings: ApiSettings
    store: redis.Redis
    jobs: Jobs
    intake: Intake
    waiters: Waiters
    follower: Follower
    fleet: FleetWatch
    admission: Admission
    models: ModelStore

    @classmethod
    def start(cls, settings: ApiSettings) -> Services:
        client = connect(settings, max_connections=settings.api_connections)
        jobs = Jobs(client, settings, settings.idempotency_ttl_s)
        waiters = Waiters(client)
        fleet = FleetWatch(Fleet(client, settings))
        return cls(
            settings=settings,
            store=client,
            jobs=jobs,
            intake=Intake(client, jobs, settings),
            waiters=waiters,
            follower=Follower(jobs, waiters),
            fleet=fleet,
            admission=Admission(jobs, fleet, settings),
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
        self.intake.close()
        self.follower.close()
        self.waiters.close()
        self.fleet.close()
        self.store.close()
