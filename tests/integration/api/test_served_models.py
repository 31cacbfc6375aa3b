"""Which jobs are taken, by who serves their model or would: at once where nobody ever will, never for a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from contract.fleet import REMEMBERED_S, Fleet, ServedModel, WorkerState, WorkerStatus
from contract.settings import SharedSettings
from harness.tiny_artifact import write_tiny_artifact
from tests.integration.api.conftest import MakeApp, context


class Workers:
    """Heartbeats of workers that are not there."""

    def __init__(self, store: redis.Redis, settings: SharedSettings, app: Flask) -> None:
        self._store, self._fleet, self._app = store, Fleet(store, settings), app

    def beat(
        self, worker: str, *models: str, every: bool = False, state: WorkerState = WorkerState.READY, rate: float = 0.0
    ) -> None:
        served = tuple(ServedModel(model=model, state=state, version="v1", texts_per_s=rate) for model in models)
        status = WorkerStatus(
            id=worker, host="h", pid=1, device="cpu", model=models[0], state=state, models=served, every=every
        )
        self._fleet.beat(status)
        self.look()

    def stop(self, worker: str) -> None:
        self._fleet.leave(worker)
        self.look()

    def forget(self) -> None:
        """Time passes until nothing is remembered of those that do not live."""
        for name in self._store.zrange("retort:served", 0, -1):
            self._store.zincrby("retort:served", -1000 * (REMEMBERED_S + 1), str(name))

    def look(self) -> None:
        context(self._app).fleet.refresh()


@pytest.fixture
def app(make_app: MakeApp, tmp_path: Path) -> Flask:
    for name in ("default", "tickets"):
        write_tiny_artifact(tmp_path, name, "v1")
    return make_app(models_dir=tmp_path)


@pytest.fixture
def workers(store: redis.Redis, settings: SharedSettings, app: Flask) -> Workers:
    return Workers(store, settings, app)


def ask(client: FlaskClient, model: str | None = "tickets") -> tuple[int, str]:
    """Status and detail of the answer to who does not wait."""
    answer = client.post("/predict?wait=0", json={"texts": ["a"]} | ({"model": model} if model else {}))
    return answer.status_code, answer.get_json().get("detail", "")


def test_a_published_model_that_no_worker_serves_is_refused_at_once_with_those_that_are(
    client: FlaskClient, workers: Workers
) -> None:
    workers.beat("w1", "default", "other")
    status, detail = ask(client)
    assert status == 422
    assert "no worker serves model 'tickets'" in detail
    assert "RETORT_MODEL" in detail
    assert "served here: default, other" in detail
    assert ask(client, "default")[0] == 202


def test_while_no_worker_lives_jobs_are_taken_for_those_that_come(client: FlaskClient) -> None:
    assert ask(client)[0] == 202


@pytest.mark.parametrize("state", [WorkerState.LOADING, WorkerState.UNLOADED, WorkerState.WAITING_FOR_MODEL])
def test_a_worker_that_is_to_serve_a_model_is_waited_for(
    client: FlaskClient, workers: Workers, state: WorkerState
) -> None:
    workers.beat("w1", "default", "tickets", state=state)
    assert ask(client)[0] == 202


def test_a_worker_of_all_models_on_the_volume_is_waited_for(client: FlaskClient, workers: Workers) -> None:
    workers.beat("w1", "default", every=True)
    assert ask(client)[0] == 202


def test_a_restart_of_the_only_worker_of_a_model_refuses_nothing(client: FlaskClient, workers: Workers) -> None:
    workers.beat("w1", "default")
    workers.beat("w2", "tickets")
    workers.stop("w2")
    assert ask(client)[0] == 202


def test_a_restart_of_the_only_worker_of_all_models_refuses_nothing(client: FlaskClient, workers: Workers) -> None:
    workers.beat("w1", "default")
    workers.beat("w2", "default", every=True)
    workers.stop("w2")
    assert ask(client)[0] == 202


def test_a_worker_that_does_not_come_back_is_not_waited_for_forever(client: FlaskClient, workers: Workers) -> None:
    workers.beat("w2", "tickets")
    workers.stop("w2")
    workers.forget()
    workers.beat("w1", "default")
    assert ask(client)[0] == 422


def test_a_request_that_names_no_model_is_refused_too_when_nobody_will_serve_the_default_one(
    client: FlaskClient, workers: Workers
) -> None:
    workers.beat("w1", "tickets")
    status, detail = ask(client, None)
    assert status == 422
    assert "served here: tickets" in detail


def test_without_a_default_model_a_request_that_names_none_is_told_which_there_are(
    make_app: MakeApp, store: redis.Redis, settings: SharedSettings, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    write_tiny_artifact(tmp_path / "more", "tickets", "v1")
    app = make_app(models_dir=tmp_path / "more", model="*")
    Workers(store, settings, app).beat("w1", "tickets", every=True)
    client = app.test_client()
    assert ask(client)[0] == 202
    status, detail = ask(client, None)
    assert status == 422
    assert detail.endswith("no model 'default' is published; name another; served here: tickets")
    assert client.get("/health/ready").status_code == 200


def test_each_model_has_the_rate_and_the_workers_of_its_own(app: Flask, client: FlaskClient, workers: Workers) -> None:
    workers.beat("w1", "default", "tickets", rate=5.0)
    workers.beat("w2", "tickets", rate=7.0)
    assert context(app).fleet.rate("default").texts_per_s == 5.0
    assert context(app).fleet.rate("tickets").texts_per_s == 12.0
    found = {model["name"]: model["workers"] for model in client.get("/models").get_json()["models"]}
    assert found == {"default": 1, "tickets": 2}
    [version] = client.get("/models/tickets").get_json()["versions"]
    assert version["workers"] == ["w1", "w2"]
    metrics = client.get("/metrics").get_data(as_text=True)
    assert 'retort_workers{model="tickets",state="ready",version="v1"} 2.0' in metrics
