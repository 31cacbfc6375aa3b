"""The one place that wires a worker process together."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from celery import Celery, signals
from prometheus_client import REGISTRY, start_http_server

from contract import memory, processor
from contract.chunk_store import CANCELLED_CHANNEL, ChunkStore, Resend
from contract.errors import StoreUnavailable
from contract.fleet import Fleet
from contract.job_store import JobStore
from contract.message import Lane
from contract.model_store import ModelStore
from contract.quarantine import Quarantine
from contract.redis_client import connect
from contract.subscription import Subscription
from contract.sweep_store import SweepStore
from contract.unreadable import Unreadable
from storage.follower import ModelFolder, model_folder
from storage.mirror import WHOLE
from worker.engine import device, runtimes
from worker.engine.device import Claim
from worker.engine.device_use import DeviceUse
from worker.engine.model import Model, load
from worker.engine.tensorflow_env import tf
from worker.gpu_watch import GpuWatch
from worker.loops import EXIT_CODE, end_process, worker_loop
from worker.metrics import BEHIND, OLDEST_WAITING, READY, RETRACES, UNREADABLE
from worker.pipeline import tracing
from worker.pipeline.model_manager import ModelManager
from worker.pipeline.pipeline import Pipeline
from worker.queueing import celery_app
from worker.queueing.drain import Drain
from worker.queueing.flow_control import PauseReason, flow, tokens_ahead
from worker.queueing.heartbeat import Heartbeat
from worker.queueing.reconciler import Reconciler
from worker.queueing.watchdog import Watchdog
from worker.settings import WorkerSettings
from worker.status import StatusReport

log = logging.getLogger(__name__)
SWITCH_S = 0.001
"""A thread that computes leaves the others to it for so long: the device must not wait for Python's usual 5 ms."""
STOP_WITHIN_S = 30
"""From SIGTERM; Docker and Kubernetes are told to kill the worker five seconds later."""


class WorkerProcess:
    """A worker and its threads: Celery's hub and pool, inference, commit, model manager, heartbeat, reconciler."""

    def __init__(self, settings: WorkerSettings, claim: Claim, load: Callable[[Path], Model] | None = None) -> None:
        """`load` makes a model of an artifact's folder; without it the engine does."""
        self._settings = settings
        self._claim = claim
        _use_cores(settings, claim)
        runtimes.available(settings.runtime)
        flow.set_messages(settings.messages)
        host = socket.gethostname()
        self.id = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
        client = connect(settings)
        unreadable = Unreadable(lambda kind: UNREADABLE.labels(kind).inc())
        quarantine = Quarantine(client, settings, unreadable)
        chunks = ChunkStore(client, settings, worker=self.id, unreadable=unreadable)
        fleet = Fleet(client, settings, unreadable)
        self._jobs = JobStore(client, settings, unreadable=unreadable)
        self._folder = _followed_models(settings)
        self._models = self._make_models(load or self._load)
        self._drain = Drain(chunks=chunks, drop_waiting=lambda: self._pipeline.drop_unstarted(), send=self._send)
        self._pipeline = Pipeline(
            chunks=chunks,
            models=self._models,
            flow=flow,
            send_back=self._drain.send_unleased,
            give_back=self._drain.give_back,
            max_windows=settings.max_windows,
            record=tracing.recorder(settings.traces_url, self.id),
            is_out_of_memory=_is_out_of_memory,
            max_age_s=settings.max_age_s,
            cache_bytes=settings.answer_cache_mb * 2**20,
        )
        self._watchdog = Watchdog(self._pipeline.inference.busy_s, hub_ttl_s=settings.heartbeat_ttl_s)
        self._heartbeat = self._make_heartbeat(fleet, host)
        self._app = self._make_app(quarantine, unreadable)
        self._reconciler = Reconciler(
            records=SweepStore(client, jobs=self._jobs, quarantine=quarantine, worker=self.id),
            fleet=fleet,
            chunks=chunks,
            jobs=self._jobs,
            unreadable=unreadable,
            send=self._send,
            held=self._pipeline.handler.held,
            liveness_known=self._heartbeat.is_steady,
            models=lambda: self._models.names,
            interval_s=settings.sweep_s,
        )
        cancel = self._pipeline.cancel
        self._cancellations = Subscription(
            client, CANCELLED_CHANNEL, on_message=cancel, unreadable=unreadable, make_loop=worker_loop
        )
        self._gpu_watch = GpuWatch(settings.claims_dir)

    def _make_models(self, load: Callable[[Path], Model]) -> ModelManager:
        return ModelManager(
            store=ModelStore(self._folder.folder),
            selection=self._settings.selection,
            load=load,
            on_loaded=self._open_model,
            on_unloaded=flow.close,
            is_wanted=self._is_wanted,
            reload_s=self._settings.reload_s,
            device=self._claim.name,
            most_bytes=int(self._settings.models_mb * 2**20),
        )

    def _make_heartbeat(self, fleet: Fleet, host: str) -> Heartbeat:
        status = StatusReport(
            id=self.id,
            host=host,
            device=self._claim.name,
            selection=self._settings.selection,
            models=self._models,
            throughput=self._pipeline.throughput,
            is_draining=lambda: self._drain.has_begun,
            complaint=lambda: self._folder.complaint,
        )
        return Heartbeat(
            fleet=fleet,
            status=status,
            watchdog=self._watchdog,
            interval_s=self._settings.heartbeat_s,
            ttl_s=self._settings.heartbeat_ttl_s,
            on_health=_use_health,
        )

    def _make_app(self, quarantine: Quarantine, unreadable: Unreadable) -> Celery:
        return celery_app.create_app(
            self._settings,
            process=self._pipeline.handler.handle,
            models=lambda: self._models.names,
            hub_moved=self._watchdog.hub_moved,
            on_hub=self._use_hub,
            quarantine=quarantine,
            unreadable=unreadable,
        )

    @property
    def next_claim(self) -> Claim | None:
        """A GPU that this CPU worker has claimed while it ran, to be started again on."""
        return self._gpu_watch.claim

    def run(self) -> int:
        """Work until SIGTERM, then finish what runs, give back what does not, and leave the fleet; the exit status.

        A process that can't stop within STOP_WITHIN_S ends itself.
        """
        sys.setswitchinterval(SWITCH_S)
        memory.settle()  # so that giving back a model's memory pauses the process for a part of the time
        self._serve_metrics()
        signal.signal(signal.SIGALRM, lambda *_: end_process(f"it could not stop within {STOP_WITHIN_S} s"))
        signals.worker_shutting_down.connect(self._begin_drain, weak=False)
        inference, committer = self._pipeline.inference, self._pipeline.committer
        self._watchdog.watch(
            [*self._folder.loops, self._models.loop, *inference.loops, self._cancellations.loop, self._reconciler.loop]
        )
        self._watchdog.watch([committer.loop, self._heartbeat.loop], quick=True)
        for part in (self._folder, self._pipeline, self._heartbeat, self._models, self._cancellations):
            part.start()
        self._reconciler.start()
        if self._claim.gpu is None and self._settings.device == "auto" and device.list_gpus():
            self._gpu_watch.start()
        try:
            status = celery_app.run(self._app, self._settings)
        finally:
            signal.alarm(STOP_WITHIN_S)
            stopped = self._stop()
        return status if stopped else EXIT_CODE

    def _stop(self) -> bool:
        """End the threads; True when all of them ended and everything that was answered is committed.

        What others wait for goes last: chunks are still committed and leases still held while the rest stops.
        """
        stops: Sequence[Callable[[], bool]] = (
            self._gpu_watch.stop,
            self._reconciler.stop,
            self._cancellations.stop,
            self._models.stop,
            self._pipeline.stop,
        )
        self._folder.stop()
        stopped = [stop() for stop in stops]
        self._drain.join()
        stopped.append(self._heartbeat.stop())
        log.info("worker %s has stopped", self.id)
        return all(stopped)

    def _serve_metrics(self) -> None:
        READY.set_function(flow.takes_work)
        OLDEST_WAITING.set_function(self._pipeline.inference.oldest_age_s)
        RETRACES.set_function(lambda: sum(model.retraces for model in self._models.loaded))
        BEHIND.set_function(lambda: self._folder.complaint is not None)
        REGISTRY.register(DeviceUse(self._claim, lambda: self._pipeline.inference.busy_total_s, _used_gpu_bytes))
        if self._settings.metrics_port:
            start_http_server(self._settings.metrics_port, self._settings.metrics_bind)

    def _load(self, folder: Path) -> Model:
        return load(folder, self._settings.precision, self._settings.batch_tokens or None, self._settings.runtime)

    def _open_model(self, name: str, model: Model) -> None:
        self._watchdog.watchdog_s = self._settings.watchdog_s
        enough = tokens_ahead(model.batch_tokens, model.seconds_per_token)
        interactive, bulk = self._settings.interactive_tokens or enough, self._settings.bulk_tokens or enough
        flow.open(name, {Lane.INTERACTIVE: interactive, Lane.BULK: bulk})

    def _is_wanted(self, model: str) -> bool:
        try:
            return self._jobs.oldest_queued_ms(model) is not None
        except StoreUnavailable:
            return False

    def _use_hub(self, hub: Any) -> None:
        flow.set_on_open(lambda: hub.call_soon(_nothing))

    def _begin_drain(self, **_: object) -> None:
        # Celery calls this inside a signal handler, where no lock may be waited for.
        signal.alarm(STOP_WITHIN_S)
        flow.pause(PauseReason.DRAINING)
        self._drain.begin()

    def _send(self, resends: Sequence[Resend]) -> None:
        celery_app.send(self._app, resends)


def _followed_models(settings: WorkerSettings) -> ModelFolder:
    wanted = settings.selection.__contains__
    return model_folder(settings, "worker", WHOLE, wanted=wanted, make_loop=worker_loop)


def _use_cores(settings: WorkerSettings, claim: Claim) -> None:
    if claim.gpu is None:
        cores = processor.usable_cores()
        threads = settings.cpu_threads or device.cpu_threads(settings.claims_dir, cores)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        log.info("on the CPU with %d of %d cores", threads, cores)


def _use_health(is_well: bool) -> None:
    (flow.resume if is_well else flow.pause)(PauseReason.UNWELL)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def _used_gpu_bytes() -> int:
    return int(tf.config.experimental.get_memory_info("GPU:0")["current"])


def _nothing() -> None:
    """Work for the hub: it wakes, and asks again which queues to read."""
