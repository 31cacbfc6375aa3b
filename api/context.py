"""Everything the views work with, wired in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import redis

from api.followed_models import followed_models
from api.http.body_budget import BodyBudget
from api.jobs.backpressure import Backpressure
from api.jobs.drain_history import DrainHistory
from api.jobs.events import JobEvents
from api.jobs.fleet_cache import FleetCache
from api.jobs.reader import JobReader
from api.jobs.store_watch import StoreWatch
from api.jobs.submitter import JobSubmitter
from api.jobs.waiting_room import WaitingRoom
from api.settings import ApiSettings
from contract.api_keys import Keys
from contract.artifact import Manifest
from contract.errors import BadArtifact, NoModel
from contract.fleet import Fleet
from contract.hints import hint
from contract.job_record import JobStatus
from contract.job_store import JobStore
from contract.loop import Loop
from contract.message import Lane
from contract.model_store import ModelStore
from contract.prediction import Options
from contract.redis_client import connect
from contract.unreadable import Unreadable
from contract.webhooks import WebhookLedger
from storage.follower import ModelFolder


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
    history: DrainHistory
    models: ModelStore
    model_folder: ModelFolder
    webhooks: WebhookLedger
    server_loops: list[Loop] = field(default_factory=list)
    """Those of the server that the application runs in."""

    @classmethod
    def start(cls, settings: ApiSettings, unreadable: Unreadable) -> AppContext:
        keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
        client = connect(settings, max_connections=settings.api_connections)
        jobs = JobStore(client, settings, idempotency_ttl_s=settings.idempotency_ttl_s)
        events = JobEvents(client, unreadable)
        fleet = FleetCache(Fleet(client, settings))
        folder = followed_models(settings)
        folder.start()
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
            history=DrainHistory(lambda: _drained(jobs, {settings.default_model, *fleet.models})),
            models=ModelStore(folder.folder),
            model_folder=folder,
            webhooks=WebhookLedger(client, settings),
        )

    @property
    def loops(self) -> list[Loop]:
        """The loops of all threads that live as long as the process."""
        own = [self.reader.loop, self.events.loop, self.fleet.loop, self.store_watch.loop, self.history.loop]
        return [*self.submitter.loops, *own, *self.model_folder.loops, *self.server_loops]

    def why_not_served(self, model: str) -> str | None:
        """Why jobs of the model are refused; None when a worker serves it or will.

        The default model may be published later. A worker that starts again is waited for.
        """
        if self.fleet.ready(model):
            return None
        try:
            self.models.current(model)
        except NoModel as error:
            if why := self._why_unpublished(model, error):
                return why
        if self.fleet.nobody_will_serve(model):
            return f"no worker serves model {model!r}, which RETORT_MODEL of a worker would name{self._instead()}"
        return None

    def _why_unpublished(self, model: str, error: NoModel) -> str | None:
        served = self.fleet.served()
        if model == self.settings.default_model:
            return f"no model {model!r} is published; name another{self._instead()}" if served else None
        if model in self.fleet.models:
            return None
        if self.models.versions(model):
            return f"{error}; it has versions, of which `python -m training activate` makes one current"
        return f"no model {model!r} is published or served here{hint(model, [*self.models.names(), *served])}"

    def _instead(self) -> str:
        served = self.fleet.served()
        return f"; served here: {', '.join(served)}" if served else ""

    def manifest(self, model: str, version: str | None) -> Manifest | None:
        """Of the version, or of the current one; None when it can't be read."""
        try:
            return self.models.manifest(model, version or self.models.current(model))
        except (BadArtifact, NoModel):
            return None

    def is_multi_label(self, job: JobStatus) -> bool:
        """True when the job's model gives a text any number of labels, as far as its manifest can be read."""
        manifest = self.manifest(job.model, job.version)
        return manifest is not None and manifest.label_thresholds is not None

    def reads_windows(self, model: str, options: Options) -> bool:
        """Whether long texts are to be read in windows and not cut off, as far as the model's manifest can be read."""
        if options.long is not None:
            return options.long != "cut"
        try:
            return self.models.manifest(model, self.models.current(model)).windows_of(None) is not None
        except (BadArtifact, NoModel):
            return False

    def close(self) -> None:
        """Finish what has come in and end the threads."""
        self.submitter.close()
        self.reader.close()
        self.events.close()
        self.fleet.close()
        self.store_watch.close()
        self.history.close()
        self.model_folder.stop()
        self.store.close()


def _drained(jobs: JobStore, models: Iterable[str]) -> dict[str, int]:
    """Texts of each model that ever left its lanes."""
    return {model: sum(jobs.backlog(model, lane).drained for lane in Lane) for model in models}
