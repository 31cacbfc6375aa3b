from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.jobs import fleet_cache
from api.openapi.schemas import Live, ModelDocument, ModelList, Ready
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.loop import Loop
from contract.settings import SharedSettings
from harness.answering_worker import VERSION, AnsweringWorker
from harness.artifact import point_current_to
from harness.tiny_artifact import write_tiny_artifact
from harness.until import until
from tests.integration.api.conftest import MakeApp, context


def beat(store: redis.Redis, settings: SharedSettings, state: WorkerState, **more: object) -> None:
    status = WorkerStatus(id="w1", host="h", pid=1, state=state, device="cpu", model="default", **more)  # type: ignore[arg-type]
    Fleet(store, settings).beat(status)


def test_a_live_process_says_so(client: FlaskClient) -> None:
    assert Live.model_validate_json(client.get("/health/live").data).status == "live"


def test_the_service_is_ready_while_a_worker_is(client: FlaskClient, worker: AnsweringWorker) -> None:
    answer = client.get("/health/ready")
    ready = Ready.model_validate_json(answer.data)
    assert (answer.status_code, ready.status, ready.reasons) == (200, "ready", [])
    assert [(one.id, one.version) for one in ready.workers] == [(worker.id, VERSION)]


def test_without_a_worker_the_service_is_not_ready_and_says_why(make_app: MakeApp, tmp_path: Path) -> None:
    answer = make_app(models_dir=tmp_path).test_client().get("/health/ready")
    ready = Ready.model_validate_json(answer.data)
    assert (answer.status_code, ready.status) == (503, "not ready")
    assert ready.reasons[0] == "no worker is ready for model 'default'"
    assert "no version of model 'default' is published" in ready.reasons[1]


def test_a_refused_version_is_a_reason(
    make_app: MakeApp, store: redis.Redis, settings: SharedSettings, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "default")
    app = make_app(models_dir=tmp_path)
    beat(store, settings, WorkerState.WAITING_FOR_MODEL, refused={"v2": "wrong answers"})
    context(app).fleet.refresh()
    reasons = app.test_client().get("/health/ready").get_json()["reasons"]
    assert reasons[1:] == [
        "worker w1 is waiting-for-model, for model 'default'",
        "worker w1 refuses version v2: wrong answers",
    ]


def test_a_heartbeat_that_can_not_be_read_neither_keeps_a_process_from_starting_nor_ends_its_watch(
    make_app: MakeApp, store: redis.Redis, settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_cache, "EVERY_S", 0.01)
    beat(store, settings, WorkerState.READY)
    store.zadd("retort:workers", {"stranger": store.zscore("retort:workers", "w1") or 0})
    store.set("retort:worker:stranger", '{"state": "warming"}')
    client = make_app(heartbeat_ttl_s=600.0).test_client()
    ready = Ready.model_validate_json(client.get("/health/ready").data)
    assert [worker.id for worker in ready.workers] == ["w1"]
    Fleet(store, settings).leave("w1")
    until(lambda: client.get("/health/ready").status_code == 503)


def test_models_are_listed_with_their_versions(
    make_app: MakeApp, store: redis.Redis, settings: SharedSettings, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "default", "v1")
    write_tiny_artifact(tmp_path, "default", "v2", current=False)
    write_tiny_artifact(tmp_path, "other", "v1")
    app = make_app(models_dir=tmp_path)
    beat(store, settings, WorkerState.READY, version="v1")
    context(app).fleet.refresh()
    found = ModelList.model_validate_json(app.test_client().get("/models").data)
    assert [model.model_dump() for model in found.models] == [
        {"name": "default", "default": True, "current": "v1", "versions": ["v1", "v2"], "workers": 1},
        {"name": "other", "default": False, "current": "v1", "versions": ["v1"], "workers": 0},
    ]


def test_a_model_is_described_by_its_manifests(
    make_app: MakeApp, store: redis.Redis, settings: SharedSettings, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "default", "v1", labels=("b", "a"))
    write_tiny_artifact(tmp_path, "default", "v2", current=False)
    app = make_app(models_dir=tmp_path)
    beat(store, settings, WorkerState.READY, version="v1")
    context(app).fleet.refresh()
    found = ModelDocument.model_validate_json(app.test_client().get("/models/default").data)
    newest, oldest = found.versions
    assert (newest.version, newest.current, newest.workers) == ("v2", False, [])
    assert (oldest.version, oldest.current, oldest.workers, oldest.labels) == ("v1", True, ["w1"], ["b", "a"])
    assert oldest.metrics == {"accuracy": 0.5}


def test_a_version_that_becomes_current_is_seen_without_a_restart(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "default", "v1")
    client = make_app(models_dir=tmp_path).test_client()
    write_tiny_artifact(tmp_path, "default", "v2", current=False)
    point_current_to(tmp_path, "default", "v2")
    assert client.get("/models/default").get_json()["current"] == "v2"


def test_a_broken_manifest_is_told_and_hides_nothing_else(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "default", "v1")
    (write_tiny_artifact(tmp_path, "default", "v2") / "manifest.json").write_text("{")
    broken, good = make_app(models_dir=tmp_path).test_client().get("/models/default").get_json()["versions"]
    assert "manifest.json" in broken["problem"]
    assert good["labels"] == ["java", "python", "sql"]


def test_copies_and_leftovers_among_the_models_are_passed_over(make_app: MakeApp, tmp_path: Path) -> None:
    version = write_tiny_artifact(tmp_path, "default", "v1")
    shutil.copytree(version, version.with_name("v1.OLD"))
    shutil.copytree(version.parent, tmp_path / "Default copy")
    (tmp_path / "lost+found").mkdir(mode=0)
    client = make_app(models_dir=tmp_path).test_client()
    [found] = ModelList.model_validate_json(client.get("/models").data).models
    assert (found.name, found.versions) == ("default", ["v1"])
    assert client.get("/models/default").status_code == 200
    assert client.get("/metrics").status_code == 200


def test_a_model_without_a_current_version_is_shown_and_refused_with_what_to_do(
    make_app: MakeApp, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "tickets", "v1", current=False)
    client = make_app(models_dir=tmp_path).test_client()
    assert client.get("/models/tickets").get_json()["current"] is None
    refused = client.post("/predict", json={"texts": ["a"], "model": "tickets"})
    assert refused.status_code == 422
    assert "python -m training activate" in refused.get_json()["errors"][0]["detail"]


def test_a_model_that_does_not_exist_is_told_from_one_that_nearly_does(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "tickets", "v1")
    client = make_app(models_dir=tmp_path).test_client()
    for answer in (
        client.post("/predict", json={"texts": ["a"], "model": "ticket"}),
        client.get("/models/ticket"),
    ):
        assert "did you mean 'tickets'?" in answer.get_json()["detail"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("whose", ["the application's", "the server's"])
def test_a_thread_that_ended_makes_the_process_not_live(app: Flask, client: FlaskClient, whose: str) -> None:
    assert client.get("/health/live").status_code == 200
    died = Loop("any", lambda: 1 / 0, is_fatal=lambda _: True)
    died.start()
    died._thread.join(10)
    if whose == "the server's":
        context(app).server_loops.append(died)
    else:
        object.__setattr__(context(app).fleet, "loop", died)
    answer = client.get("/health/live")
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, ["the thread any has ended"])
