"""Models in a bucket: writers that are killed at random moments, and how soon a worker serves what was published."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.store_churn import NAME, Churn, Place, write_version
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from harness.running_service import RunningService
from harness.s3_server import BUCKET, S3Server
from harness.until import until
from training.artifact.opened import open_store
from training.artifact.store import Store

KILLS, PUBLICATIONS = 300, 10
SERVED_S = 60.0


def measure_kills() -> tuple[dict[str, float], Any]:
    """Whether CURRENT names a whole version after each of many kills."""
    with _bucket() as (server, folder):
        churn = Churn(Place(f"s3://{BUCKET}/churn", folder, server.variables))
        started = time.monotonic()
        churn.kill(KILLS)
        seconds = time.monotonic() - started
        history = churn.store.versions.served().history
    figures: dict[str, float] = {"store_kills": churn.kills, "store_broken": len(churn.broken)}
    return figures, {"seconds": seconds, "broken": churn.broken, "activations_since_the_last_rollback": len(history)}


def measure_follow() -> tuple[dict[str, float], Any]:
    """From the end of a publication until the worker says that it serves the version; settings are as they come."""
    with _bucket() as (_, folder):
        url = StoreUrl("s3", BUCKET, "served")
        store = open_store(SharedSettings(models_dir=url, models_cache_dir=folder / "training"), NAME)
        _publish(store, 0)
        taken = []
        with RunningService(folder, NAME, folder=folder, models_dir=url, models_cache_dir=folder / "cache") as service:
            for number in range(1, PUBLICATIONS + 1):
                version = _publish(store, number)
                started = time.monotonic()
                until(lambda: _serves(service, version), SERVED_S, what=f"version {version}")  # noqa: B023  at once
                taken.append(time.monotonic() - started)
    return {"follow_s": max(taken)}, {"publications": PUBLICATIONS, "each_s": taken}


@contextmanager
def _bucket() -> Iterator[tuple[S3Server, Path]]:
    """A server and a folder, with an environment in which the services find the server."""
    with (
        tempfile.TemporaryDirectory() as made,
        S3Server(Path(made)) as server,
        patch.dict(os.environ, server.variables),
    ):
        yield server, Path(made)


def _publish(store: Store, number: int) -> str:
    with store.staging() as staged:
        write_version(staged, f"20260101t{number:06d}-000000", number)
        version = store.add(staged).version
    store.activate(version)
    return version


def _serves(service: RunningService, version: str) -> bool:
    return any(worker.version == version for worker in service.fleet.live())
