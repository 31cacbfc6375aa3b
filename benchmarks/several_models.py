"""Several models in one worker against a worker each, and how soon an imported one answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import artifacts
from contract.fleet import WorkerState
from harness.process import ROOT, ServiceProcess
from harness.running_service import READY_S, RunningService
from harness.until import until

COUNTS = (1, 4, 16)
ANSWERED_S = 60.0


@dataclass(frozen=True)
class Housing:
    """So many models of MiniLM's size, from the start of their workers until all of them are ready."""

    models: int
    one_worker_s: float
    worker_each_s: float
    one_worker_mib: float
    worker_each_mib: float


def measure(counts: Sequence[int] = COUNTS) -> list[Housing]:
    """One row for each number of models."""
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="retort-models-") as folder:
            models = Path(folder)
            names = _copies(models, count)
            one_s, one_mib = _housed(models, ["*"], names)
            each_s, each_mib = _housed(models, names, names)
        rows.append(
            Housing(
                models=count,
                one_worker_s=one_s,
                worker_each_s=each_s,
                one_worker_mib=one_mib,
                worker_each_mib=each_mib,
            )
        )
    return rows


def import_to_answer_s(models: Path) -> float:
    """Seconds from `import` of a folder of MiniLM's size until the service, which runs already, answers with it."""
    artifacts.write(models, "minilm")
    environment = {**os.environ, "RETORT_MODELS_DIR": str(models)}
    with tempfile.TemporaryDirectory() as folder, RunningService(models, "*") as service:
        arguments = ["import", str(artifacts.write_folder(Path(folder))), "--name", "tickets"]
        command = [sys.executable, "-m", "training", *arguments]
        started = time.monotonic()
        importing = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        question = {"texts": ["How do I undo my last commit?"], "model": "tickets"}

        def is_answered() -> bool:
            if importing.poll():
                raise RuntimeError(f"{importing.args!r} has failed")
            return httpx.post(f"{service.url}/predict", json=question, timeout=ANSWERED_S).is_success

        until(
            is_answered,
            ANSWERED_S,
            what="the imported model",
            pause_s=0.05,
        )
        seconds = time.monotonic() - started
        importing.wait()
    return seconds


def _copies(models: Path, count: int) -> list[str]:
    artifact = artifacts.write(models, "minilm")
    for number in range(1, count):
        shutil.copytree(artifact.parent, models / f"minilm-{number}")
        manifest = models / f"minilm-{number}" / artifact.name / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"name": f"minilm-{number}"}))
    return ["minilm", *(f"minilm-{number}" for number in range(1, count))]


def _housed(models: Path, workers: Sequence[str], names: Sequence[str]) -> tuple[float, float]:
    """Seconds until each model is ready in some worker, and MiB of all workers then."""
    with RunningService(models, workers=0, api=False) as service:
        started = time.monotonic()
        processes = [service.start_worker(model=model) for model in workers]
        until(lambda: _ready(service) >= set(names), READY_S * len(workers), what="all models", pause_s=0.1)
        return time.monotonic() - started, sum(map(_mib, processes))


def _ready(service: RunningService) -> set[str]:
    served = [each for status in service.fleet.live() for each in status.models]
    return {each.model for each in served if each.state is WorkerState.READY}


def _mib(process: ServiceProcess) -> float:
    """Its share of memory, and its children's; what processes share is counted once."""
    main = psutil.Process(process.pid)
    return float(sum(_share(each) for each in [main, *main.children(recursive=True)]) / 2**20)


def _share(process: psutil.Process) -> int:
    """Bytes; where the system does not tell shares, those of others count too."""
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.rss))
