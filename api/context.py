"""Everything the views work with, wired in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

import redis

from api.http.api_keys import Keys
from api.http.body_budget import BodyBudget
from api.http.hints import hint
from api.jobs.backpressure import Backpressure
from api.jobs.events import JobEvents
from api.jobs.fleet_cache import FleetCache
from api.jobs.reader import JobReader
from api.jobs.store_watch import StoreWatch
from api.jobs.submitter import JobSubmitter
from api.jobs.waiting_room import WaitingRoom
from api.settings import ApiSettings
from contract.errors import BadArtifact, NoModel
from contract.fleet import Fleet
from contract.job_record import JobStatus
from contract.job_store import JobStore
from contract.loop import Loop
from contract.model_store import ModelStore
from contract.redis_client import connect
from contract.unreadable import Unreadable


@dataclass(frozen=True, kw_only=True)
class AppContext:
    """Everything that a process of the API serves with, its threads included."""

    settings: ApiSettings
    store: redis.Redis
    store_watch: StoreWatch
    keys: Keys | None
    bodies: BodyBudget
    jobs: JobStore
    submitter: JobSubmitter
    events: JobEvents
    reader: JobReader
    waiting_room: WaitingRoom
    fleet: FleetCache
    backpressure: Backpressure
    models: ModelStore
    server_loops: list[Loop] = field(default_factory=list)
    """Those of the server that the application runs in."""

    @classmethod
    def start(cls, settings: ApiSettings, unreadable: Unreadable) -> AppContext:
        keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
        client = connect(settings, max_connections=settings.api_connections)
        jobs = JobStore(client, settings, idempotency_ttl_s=settings.idempotency_ttl_s)
        events = JobEvents(client, unreadable)
        fleet = FleetCache(Fleet(client, settings))
        return cls(
            settings=settings,
            store=client,
            store_watch=StoreWatch(jobs),
            keys=keys,
            bodies=BodyBudget(settings.max_bodies_bytes),
            jobs=jobs,
            submitter=JobSubmitter(client, jobs, settings),
            events=events,
            reader=JobReader(jobs, events),
            waiting_room=WaitingRoom(settings.max_waiting, settings.max_waiting_of_caller),
            fleet=fleet,
            backpressure=Backpressure(jobs, fleet, settings),
            models=ModelStore(settings.models_dir),
        )

    @property
    def loops(self) -> list[Loop]:
        """The loops of all threads that live as long as the process."""
        own = [self.reader.loop, self.events.loop, self.fleet.loop, self.store_watch.loop]
        return [*self.submitter.loops, *own, *self.server_loops]

    def why_not_served(self, model: str) -> str | None:
        """Why jobs of the model are refused; None when a version of it is current or a live worker serves it."""
        if any(worker.model == model for worker in self.fleet.workers):
            return None
        try:
            self.models.current(model)
        except NoModel as error:
            if self.models.versions(model):
                return f"{error}; it has versions, of which `python -m training activate` makes one current"
            known = sorted({*self.models.names(), *(worker.model for worker in self.fleet.workers)})
            return f"no model {model!r} is published or served here{hint(model, known)}"
        return None

    def is_multi_label(self, job: JobStatus) -> bool:
        """True when the job's model gives a text any number of labels, as far as its manifest can be read."""
        try:
            version = job.version or self.models.current(job.model)
            return self.models.manifest(job.model, version).label_thresholds is not None
        except (BadArtifact, NoModel):
            return False

    def close(self) -> None:
        """Finish what has come in and end the threads."""
        self.submitter.close()
        self.reader.close()
        self.events.close()
        self.fleet.close()
        self.store_watch.close()
        self.store.close()
