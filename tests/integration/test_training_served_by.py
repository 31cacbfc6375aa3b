"""What training says at its end about who will serve the version."""

from __future__ import annotations

import redis

from contract.fleet import Fleet, ServedModel, WorkerState, WorkerStatus
from contract.settings import SharedSettings
from harness.ports import free_port
from training.cli.served_by import served_by


def beat(store: redis.Redis, settings: SharedSettings, worker: str, *models: str, every: bool = False) -> None:
    served = tuple(ServedModel(model=model, state=WorkerState.READY) for model in models)
    status = WorkerStatus(
        id=worker, host="h", pid=1, device="cpu", model=models[0], state=WorkerState.READY, models=served, every=every
    )
    Fleet(store, settings).beat(status)


def test_workers_that_will_serve_it_are_counted(store: redis.Redis, settings: SharedSettings) -> None:
    beat(store, settings, "w1", "default")
    beat(store, settings, "w2", "default", every=True)
    beat(store, settings, "w3", "tickets")
    assert served_by("tickets", settings) == "2 of 3 workers that run take it over within seconds"


def test_where_no_worker_will_it_says_how_to_make_one(store: redis.Redis, settings: SharedSettings) -> None:
    beat(store, settings, "w1", "default", "other")
    said = served_by("tickets", settings)
    assert said.startswith("no worker that runs serves it, they serve default, other: ")
    assert "RETORT_MODEL is * or names 'tickets'" in said


def test_where_no_worker_can_be_seen_it_says_which_would(store: redis.Redis, settings: SharedSettings) -> None:
    away = SharedSettings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert store.dbsize() == 0
    for where in (away, settings):
        said = served_by("tickets", where)
        assert "RETORT_MODEL is * or names 'tickets'" in said
        assert "none can be seen from here" in said
