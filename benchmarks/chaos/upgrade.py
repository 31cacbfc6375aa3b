"""From release 0.1.0 to this one and back, under load, with one Redis and one folder of models.

The order is that of docs/operations.md, and both releases run beside each other at each of its steps.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos.audit import blemishes, jobs_figures
from benchmarks.chaos.clients import Clients
from benchmarks.chaos.parts import MODEL, SETTINGS, Found
from contract.artifact import MANIFEST
from contract.fleet import WorkerState, WorkerStatus
from contract.message import Lane, Ticket, queue_name
from harness.artifact import point_current_to
from harness.process import ROOT, ServiceProcess
from harness.release import checked_out
from harness.running_service import READY_S, RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.until import until

RELEASE = "7e7e83f"
"""The last commit of 0.1.0."""
WRITE = "import sys, pathlib, tests.tiny_artifact as made; made.write_tiny_artifact(pathlib.Path(sys.argv[1]))"
"""How that release writes the artifact of a tiny model."""
FIRST, SECOND, AHEAD = (f"2026010{day}t000000-000000" for day in (1, 2, 3))
"""Versions of the model: written by 0.1.0, by this release, and by one to come."""
NEWER = "newer"
"""The worker of a release to come."""
WORKERS, CLIENTS = 2, 24
DWELL_S = 15.0
"""For which a state lasts in a full run."""


@dataclass
class Upgrade:
    """A service whose processes are replaced one by one."""

    service: RunningService
    old: Path
    """The code of 0.1.0."""
    dwell_s: float
    workers: list[tuple[Path, ServiceProcess]]
    """Those that run, with their code."""
    steps: list[dict[str, Any]] = field(default_factory=list)

    def do(self, name: str, act: Callable[[], object]) -> None:
        """Do it, let the service stand so for a while, and note how it stands."""
        began = time.time()
        act()
        self.service.await_ready()
        took_s = round(time.time() - began, 1)
        time.sleep(self.dwell_s)
        ended = [name for name, process in self.service.processes.items() if process.has_ended()]
        ready = [code for code, worker in self.workers if self.service.is_ready(worker)]
        self.steps.append({"step": name, "seconds": took_s, "old_workers": ready.count(self.old),
                           "new_workers": ready.count(ROOT), "ended": ended})  # fmt: skip
        print(f"  {self.steps[-1]}", flush=True)

    def add_worker(self, code: Path) -> None:
        worker = self.service.start_worker(code=code)
        until(lambda: self.service.is_ready(worker), READY_S, what="the new worker")
        self.workers.append((code, worker))

    def retire_worker(self) -> None:
        _, worker = self.workers.pop(0)
        self.service.retire(worker)

    def replace_api(self, code: Path) -> None:
        self.service.retire(self.service.api)
        self.service.start_api(code=code)
        self.service.await_live()

    def serve(self, version: str) -> None:
        point_current_to(self.service.models, MODEL, version)
        running = {worker.pid for _, worker in self.workers}
        until(
            lambda: {status.version for status in self.service.fleet.live() if status.pid in running} == {version},
            READY_S,
            what=f"{version} in every worker",
        )


def measure(seed: int, share: float) -> Found:
    """Up and down again. Raises TimeoutError when a step does not come to its end."""
    with (
        _volume() as (old, models),
        RunningService(models, MODEL, workers=WORKERS, code=old, **SETTINGS) as service,
    ):
        started = [process for name, process in service.processes.items() if name.startswith("worker-")]
        upgrade = Upgrade(service, old, max(2.0, share * DWELL_S), [(old, worker) for worker in started])
        with Clients(service.url, CLIENTS, seed, (0, 1), pause_s=0.3) as clients:
            upgrade.do("0.1.0", lambda: None)
            _up(upgrade)
            untouched = _ahead(upgrade)
            _down(upgrade)
        dead_letters = service.jobs.dead_letters()
    figures = {
        "upgrade_failed_requests": len(clients.failures),
        "upgrade_processes_ended": sum(len(step["ended"]) for step in upgrade.steps),
        "upgrade_dead_letters": dead_letters,
        "upgrade_not_left_alone": sum(not left for left in untouched.values()),
    }
    notes = {"steps": upgrade.steps, "left_alone": untouched, "retries": clients.retries,
             "failures": clients.failures[:50], "bad": blemishes(clients)[:50]}  # fmt: skip
    return Found(figures | jobs_figures([clients]), [], notes)


def _up(upgrade: Upgrade) -> None:
    """Workers, API, then the models."""
    upgrade.do("a new worker beside them", lambda: upgrade.add_worker(ROOT))
    upgrade.do("an old one less", upgrade.retire_worker)
    upgrade.do("a second new one", lambda: upgrade.add_worker(ROOT))
    upgrade.do("the new API, an old worker still there", lambda: upgrade.replace_api(ROOT))
    upgrade.do("the last old worker less", upgrade.retire_worker)
    upgrade.do("a version of the new training", lambda: upgrade.serve(SECOND))


def _down(upgrade: Upgrade) -> None:
    """The way back: the models, API, then workers."""
    upgrade.do("back to the version of before", lambda: upgrade.serve(FIRST))
    upgrade.do("back to the old API", lambda: upgrade.replace_api(upgrade.old))
    upgrade.do("an old worker beside the new ones", lambda: upgrade.add_worker(upgrade.old))
    upgrade.do("a new worker less", upgrade.retire_worker)
    upgrade.do("a second old one", lambda: upgrade.add_worker(upgrade.old))
    upgrade.do("0.1.0 again", upgrade.retire_worker)


def _ahead(upgrade: Upgrade) -> dict[str, bool]:
    """Have this release meet one thing of each kind from a release to come; whether it left that alone."""
    service = upgrade.service
    options = {"top_k": 1, "of_a_release_to_come": 0.5}
    jobs = {"record": _job(service, "schema", "2"), "option": _job(service, "options", json.dumps(options))}
    service.send_message({"schema": 2, "tickets": "of another form"}, Lane.INTERACTIVE)
    _write_artifact_ahead(service.models)

    upgrade.do("beside a release to come", lambda: point_current_to(service.models, MODEL, AHEAD))
    _beat_ahead(service)
    fleet = {status.id: status for status in service.fleet.live()}
    found = {kind: service.jobs.status(job_id).state.is_open for kind, job_id in jobs.items()}
    found["artifact"] = {status.version for name, status in fleet.items() if name != NEWER} == {SECOND}
    found["message"] = service.client.llen(queue_name(MODEL, Lane.INTERACTIVE)) == 0
    found["heartbeat"] = NEWER in fleet

    for job_id in jobs.values():
        service.jobs.remove(job_id)
    service.fleet.leave(NEWER)
    point_current_to(service.models, MODEL, SECOND)
    return found


def _job(service: RunningService, name: str, value: str) -> str:
    """The id of a job one field of whose record a newer release wrote."""
    job_id = service.submit(["a text"], send=False)
    service.client.hset(f"retort:job:{job_id}", name, value)
    service.send([Ticket(job_id, 0)], Lane.INTERACTIVE)
    return job_id


def _write_artifact_ahead(models: Path) -> None:
    shutil.copytree(models / MODEL / SECOND, models / MODEL / AHEAD)
    manifest = models / MODEL / AHEAD / MANIFEST
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document |= {"schema_version": document["schema_version"] + 1, "version": AHEAD, "encoder": {"of": "another form"}}
    manifest.write_text(json.dumps(document), encoding="utf-8")


def _beat_ahead(service: RunningService) -> None:
    status = WorkerStatus(id=NEWER, host="h", pid=1, state=WorkerState.READY, device="cpu", model=MODEL)
    service.fleet.beat(status)
    document = status.model_dump(mode="json") | {"schema_version": 2, "state": "warming", "accelerators": ["x"]}
    service.client.set(f"retort:worker:{NEWER}", json.dumps(document))


@contextmanager
def _volume() -> Iterator[tuple[Path, Path]]:
    """The code of 0.1.0, and a folder with a model that it wrote and one of this release."""
    with checked_out(RELEASE) as old, tempfile.TemporaryDirectory(prefix="retort-chaos-") as name:
        subprocess.run([sys.executable, "-c", WRITE, name], cwd=old, check=True)
        write_tiny_artifact(Path(name), version=SECOND, seed=1, current=False)
        yield old, Path(name)
