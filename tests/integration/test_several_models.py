"""Several models on one real worker: each answers its own, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.fleet import ServedModel, WorkerState
from contract.job_record import JobState
from contract.message import Lane
from harness.artifact import point_current_to
from harness.running_service import READY_S, RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.truth import is_right, some_texts
from harness.until import until

V1, V2 = "20260101t000000-000001", "20260102t000000-000002"
SEEDS = {("first", V1): 1, ("second", V1): 2, ("second", V2): 3, ("late", V1): 4}
QUICK: dict[str, Any] = {
    "heartbeat_s": 0.3,
    "heartbeat_ttl_s": 3.0,
    "sweep_s": 0.5,
    "reload_s": 0.2,
    "precision": "float32",
    "device": "cpu",
    "cpu_threads": 1,
}
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(300)


def publish(folder: Path, name: str, version: str, *, current: bool = True) -> Path:
    return write_tiny_artifact(folder, name, version, seed=SEEDS[name, version], current=current)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    models, folder = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("service")
    publish(models, "first", V1)
    publish(models, "second", V1)
    with RunningService(models, "first,*", folder=folder, **QUICK) as service:
        until(lambda: is_ready(service, "second"), PATIENCE_S)
        yield service


def of(service: RunningService, name: str) -> ServedModel | None:
    """What the worker says of a model."""
    status = service.status(service.processes["worker-0"])
    return None if status is None else status.of(name)


def is_ready(service: RunningService, name: str, version: str = V1) -> bool:
    found = of(service, name)
    return found is not None and (found.state, found.version) == (WorkerState.READY, version)


def check(service: RunningService, job_id: str, texts: list[str]) -> None:
    """The job's texts have the answers of its own model."""
    status = service.ended(job_id, PATIENCE_S)
    assert status.state is JobState.SUCCEEDED
    [version] = service.versions(job_id)
    seed = SEEDS[status.model, version]
    answers = service.predictions(job_id)
    assert [text for text, answer in zip(texts, answers, strict=True) if not is_right(answer, text, seed)] == []


def test_questions_to_two_models_in_turn_get_each_the_answer_of_its_own(service: RunningService) -> None:
    texts = list(some_texts(60))
    asked = [
        (service.submit([text], model=model, lane=lane), [text])
        for text in texts
        for model, lane in (("first", Lane.INTERACTIVE), ("second", Lane.INTERACTIVE), ("second", Lane.BULK))
    ]
    for job_id, one in asked:
        check(service, job_id, one)


def test_the_service_says_which_worker_serves_which_model(service: RunningService) -> None:
    found = {model["name"]: model for model in httpx.get(f"{service.url}/models").json()["models"]}
    assert {name: (model["workers"], model["default"]) for name, model in found.items()} == {
        "first": (1, True),
        "second": (1, False),
    }
    [worker] = httpx.get(f"{service.url}/health/ready").json()["workers"]
    assert {each["model"]: (each["state"], each["version"]) for each in worker["models"]} == {
        "first": ("ready", V1),
        "second": ("ready", V1),
    }
    assert (worker["model"], worker["version"]) == ("first", V1)


def test_a_model_that_appears_on_the_volume_is_served(service: RunningService) -> None:
    publish(service.models, "late", V1)
    until(lambda: is_ready(service, "late"), PATIENCE_S)
    texts = list(some_texts(5, seed=1))
    check(service, service.submit(texts, model="late"), texts)
    answer = httpx.post(f"{service.url}/predict", json={"texts": texts, "model": "late"}, timeout=PATIENCE_S)
    assert answer.json()["model"] == {"name": "late", "version": V1}


def test_a_new_version_of_one_model_leaves_the_other_alone(service: RunningService) -> None:
    publish(service.models, "second", V2)
    asked: dict[str, list[str]] = {}
    while not is_ready(service, "second", V2):
        for model in ("first", "second"):
            texts = list(some_texts(3, seed=len(asked)))
            asked[service.submit(texts, model=model)] = texts
    for job_id, texts in asked.items():
        check(service, job_id, texts)
    assert is_ready(service, "first", V1)
    point_current_to(service.models, "second", V1)
    until(lambda: is_ready(service, "second", V1), PATIENCE_S)


def test_a_broken_model_is_refused_and_the_others_answer(service: RunningService) -> None:
    folder = write_tiny_artifact(service.models, "broken", V1, current=False)
    (folder / "weights.safetensors").write_bytes(b"half of it")
    point_current_to(service.models, "broken", V1)
    refused = until(lambda: (found := of(service, "broken")) and found.refused, PATIENCE_S)
    assert "sha256" in refused[V1]
    texts = list(some_texts(5, seed=2))
    for model in ("first", "second"):
        check(service, service.submit(texts, model=model), texts)


def test_much_work_for_one_model_does_not_keep_another_waiting(service: RunningService) -> None:
    big = list(some_texts(20_000, seed=3))
    worker = service.processes["worker-0"]
    worker.pause()  # or it may be through with it as soon as its last message is sent
    flood = service.submit(big, Lane.BULK, model="first")
    worker.resume()
    until(lambda: service.jobs.status(flood).done > 0, PATIENCE_S)
    for lane in Lane:
        texts = list(some_texts(3, seed=4))
        check(service, service.submit(texts, lane, model="second"), texts)
    assert service.jobs.status(flood).state is JobState.RUNNING
    service.jobs.remove(flood)


def test_beyond_its_memory_a_worker_unloads_what_it_needs_least_and_loads_it_again(tmp_path: Path) -> None:
    names = ("first", "second", "late")
    for name in names:
        publish(tmp_path, name, V1)
    weights = (tmp_path / "late" / V1 / "weights.safetensors").stat().st_size
    with RunningService(
        tmp_path, "first,*", folder=tmp_path, api=False, models_mb=2.5 * weights / 2**20, **QUICK
    ) as service:
        until(lambda: all(of(service, name) for name in names) and is_ready(service, "late"), READY_S)
        until(lambda: of(service, "second").state is WorkerState.UNLOADED, PATIENCE_S)  # type: ignore[union-attr]
        for turn, name in enumerate(("second", "late", "first", "second")):
            texts = list(some_texts(3, seed=turn))
            check(service, service.submit(texts, model=name), texts)
        until(lambda: not is_ready(service, "late"), PATIENCE_S)
        until(lambda: service.metric("retort_unloaded_models_total") >= 2, PATIENCE_S)
        assert service.client.zcard("retort:dead") == 0
