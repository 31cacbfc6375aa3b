"""The one place that wires a worker process together."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from celery import signals
from prometheus_client import REGISTRY, start_http_server

from contract import processor
from contract.chunk_store import CANCELLED_CHANNEL, ChunkStore, Resend
from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_store import JobStore
from contract.message import Lane, Ticket
from contract.model_store import ModelStore
from contract.quarantine import Quarantine
from contract.redis_client import connect
from contract.subscription import Subscription
from contract.sweep_store import SweepStore
from contract.unreadable import Unreadable
from worker.engine import device
from worker.engine.device import Claim
from worker.engine.device_use import DeviceUse
from worker.engine.model import Model, load
from worker.engine.tensorflow_env import tf
from worker.loops import EXIT_CODE, end_process, worker_loop
from worker.metrics import OLDEST_WAITING, READY, REFUSES_CURRENT, RETRACES, UNREADABLE
from worker.pipeline import tracing
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.committer import Committer
from worker.pipeline.handler import MessageHandler
from worker.pipeline.inference import Inference
from worker.pipeline.model_manager import ModelManager
from worker.pipeline.throughput import Throughput
from worker.pipeline.work import ChunkWork
from worker.queueing import celery_app
from worker.queueing.drain import Drain
from worker.queueing.flow_control import PauseReason, flow
from worker.queueing.heartbeat import Heartbeat
from worker.queueing.reconciler import Reconciler
from worker.queueing.watchdog import Watchdog
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)
GPU_LOOK_S = 5.0
STOP_WITHIN_S = 30
"""From SIGTERM; Docker and Kubernetes are told to kill the worker five seconds later."""
BATCHES_AHEAD = 2
"""Full batches of each lane that wait here: the next is planned from two, and is there when the running one ends."""


class WorkerProcess:
    """A worker and its threads: Celery's hub and pool, inference, commit, model manager, heartbeat, reconciler."""

    def __init__(self, settings: WorkerSettings, claim: Claim, load: Callable[[Path], Model] | None = None) -> None:
        """`load` makes a model of an artifact's folder; without it the engine does."""
        self._settings = settings
        self._load_model = load or self._load_engine
        self._claim = claim
        _use_cores(settings, claim)
        self._host = socket.gethostname()
        self.id = f"{self._host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.next_claim: Claim | None = None
        """A GPU that this CPU worker has claimed while it ran, to be started again on."""
        self._traces_when_warm: dict[str, int] = {}
        client = connect(settings)
        unreadable = Unreadable(lambda kind: UNREADABLE.labels(kind).inc())
        quarantine = Quarantine(client, settings, unreadable)
        self._chunks = ChunkStore(client, settings, worker=self.id, unreadable=unreadable)
        fleet = Fleet(client, settings, unreadable)
        jobs = JobStore(client, settings, unreadable=unreadable)
        self._models = ModelManager(
            store=ModelStore(settings.models_dir),
            name=settings.model,
            load=self._load,
            on_first=self._model_ready,
            reload_s=settings.reload_s,
            device=claim.name,
        )
        cache = AnswerCache(settings.answer_cache_mb * 2**20)
        self._inference = Inference(
            batcher=Batcher(settings.max_age_s),
            start_suspect=self._start_suspect,
            on_complete=lambda work: self._committer.add(work),
            is_out_of_memory=_is_out_of_memory,
            on_taken=flow.release,
            cache=cache,
        )
        self._throughput = Throughput(lambda: self._inference.paid_s)
        self._committer = Committer(self._chunks, self._throughput.add)
        self._drain = Drain(chunks=self._chunks, model=settings.model, drop_waiting=self._drop_waiting, send=self._send)
        self._handler = MessageHandler(
            chunks=self._chunks,
            models=self._models,
            inference=self._inference,
            committer=self._committer,
            flow=flow,
            cache=cache,
            send_back=self._drain.send_unleased,
            record=tracing.recorder(settings.traces_url, self.id),
        )
        self._watchdog = Watchdog(self._inference.busy_s, hub_ttl_s=settings.heartbeat_ttl_s)
        self._heartbeat = Heartbeat(
            fleet=fleet,
            status=self._status,
            watchdog=self._watchdog,
            interval_s=settings.heartbeat_s,
            ttl_s=settings.heartbeat_ttl_s,
            on_health=_use_health,
        )
        self._app = celery_app.create_app(
            settings,
            process=self._handler.handle,
            hub_moved=self._watchdog.hub_moved,
            on_hub=self._use_hub,
            quarantine=quarantine,
            unreadable=unreadable,
        )
        self._reconciler = Reconciler(
            records=SweepStore(client, jobs=jobs, quarantine=quarantine, model=settings.model, worker=self.id),
            fleet=fleet,
            chunks=self._chunks,
            jobs=jobs,
            unreadable=unreadable,
            model=settings.model,
            send=self._send,
            held=self._handler.held,
            liveness_known=self._heartbeat.is_steady,
            interval_s=settings.sweep_s,
        )
        self._cancellations = Subscription(
            client, CANCELLED_CHANNEL, on_message=self._cancelled, unreadable=unreadable, make_loop=worker_loop
        )
        self._gpu_watch = worker_loop("await-gpu", self._look_for_gpu, pause_s=GPU_LOOK_S)

    def run(self) -> int:
        """Work until SIGTERM, then finish what runs, give back what does not, and leave the fleet; the exit status.

        A process that can't stop within STOP_WITHIN_S ends itself.
        """
        self._serve_metrics()
        signal.signal(signal.SIGALRM, lambda *_: end_process(f"it could not stop within {STOP_WITHIN_S} s"))
        signals.worker_shutting_down.connect(self._begin_drain, weak=False)
        loops = [self._models.loop, self._inference.loop, self._cancellations.loop, self._reconciler.loop]
        self._watchdog.watch(loops)
        self._watchdog.watch([self._committer.loop, self._heartbeat.loop], quick=True)
        for part in (self._inference, self._committer, self._heartbeat, self._models, self._cancellations):
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
        """End the threads; whether all of them ended and everything that was answered is committed.

        What others wait for goes last: chunks are still committed and leases still held while the rest stops.
        """
        stops: Sequence[Callable[[], bool]] = (
            self._gpu_watch.stop,
            self._reconciler.stop,
            self._cancellations.stop,
            self._models.stop,
            self._inference.stop,
            self._committer.stop,
        )
        stopped = [stop() for stop in stops]
        self._drain.join()
        stopped.append(self._heartbeat.stop())
        log.info("worker %s has stopped", self.id)
        return all(stopped)

    def _look_for_gpu(self) -> None:
        """A worker that found every GPU taken claims the one that is free now, drains, and starts anew on it.

        The claim comes first: of all CPU workers that see the GPU, one goes.
        """
        if self.next_claim is not None:
            return
        self.next_claim = device.claim_gpu(self._settings.claims_dir, device.list_gpus())
        if self.next_claim is not None:
            log.info("%s is free: this CPU worker drains, to start again on it", self.next_claim.name)
            signal.raise_signal(signal.SIGTERM)

    def _serve_metrics(self) -> None:
        READY.set_function(lambda: not flow.is_paused())
        REFUSES_CURRENT.set_function(lambda: self._models.refuses_current)
        OLDEST_WAITING.set_function(self._inference.oldest_age_s)
        RETRACES.set_function(self._retraces)
        REGISTRY.register(DeviceUse(self._claim, lambda: self._inference.busy_total_s, _used_gpu_bytes))
        if self._settings.metrics_port:
            start_http_server(self._settings.metrics_port, self._settings.metrics_bind)

    def _retraces(self) -> int:
        model = self._models.loaded
        return 0 if model is None else model.traces - self._traces_when_warm.get(model.version, model.traces)

    def _load(self, folder: Path) -> Model:
        model = self._load_model(folder)
        self._traces_when_warm = {model.version: model.traces}
        enough = BATCHES_AHEAD * model.batch_tokens
        interactive, bulk = self._settings.interactive_tokens or enough, self._settings.bulk_tokens or enough
        flow.set_bounds({Lane.INTERACTIVE: interactive, Lane.BULK: bulk})
        return model

    def _load_engine(self, folder: Path) -> Model:
        return load(folder, self._settings.precision, self._settings.batch_tokens or None)

    def _model_ready(self) -> None:
        self._watchdog.watchdog_s = self._settings.watchdog_s
        flow.resume(PauseReason.NO_MODEL)

    def _use_hub(self, hub: Any) -> None:
        flow.set_on_open(lambda: hub.call_soon(_nothing))

    def _begin_drain(self, **_: object) -> None:
        # Celery calls this inside a signal handler, where no lock may be waited for.
        signal.alarm(STOP_WITHIN_S)
        flow.pause(PauseReason.DRAINING)
        self._drain.begin()

    def _drop_waiting(self) -> list[Ticket]:
        return [work.lease.ticket for work in self._handler.drop(lambda work: not work.started)]

    def _start_suspect(self, work: ChunkWork) -> bool:
        try:
            return self._chunks.start(work.lease.ticket)
        except StoreUnavailable as error:
            log.warning("%s runs alone without a note of it: %s", work.lease.ticket, error)
            return True

    def _send(self, resends: Sequence[Resend]) -> None:
        celery_app.send(self._app, resends)

    def _cancelled(self, job_id: str) -> None:
        self._handler.drop(lambda work: work.lease.ticket.job_id == job_id)

    def _status(self) -> WorkerStatus:
        model, rate = self._models.loaded, self._throughput.rate()
        return WorkerStatus(
            id=self.id,
            host=self._host,
            pid=os.getpid(),
            state=WorkerState.DRAINING if self._drain.has_begun else self._models.state,
            device=self._claim.name,
            precision=model.precision if model else None,
            model=self._settings.model,
            version=model.version if model else None,
            refused=dict(self._models.refused),
            texts_per_s=rate.texts,
            bytes_per_s=rate.bytes,
        )


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
    """Work for the hub: it wakes, and asks again which lanes to read."""
