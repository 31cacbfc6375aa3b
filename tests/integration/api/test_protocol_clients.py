"""Clients of the Open Inference Protocol that others made, unchanged, read what the native API says.

They run in an environment of their own, for their dependencies would hold this one back.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.settings import ApiSettings
from harness.answering_worker import ANY_LABELS, VERSION, AnsweringWorker
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-clients/bin/python"
TEXTS = ["why is my pointer null", "héllo ☃ 你好", *(f"text {n}" for n in range(90))]

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test_clients` makes their environment first"),
    pytest.mark.timeout(400),  # they take half a minute to import on a machine that has much else to do
]


@pytest.fixture(scope="module")
def service(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The API as it is run, before a model of one label a text, `default`, and one of `several`."""
    folder = tmp_path_factory.mktemp("clients")
    write_tiny_artifact(folder, "default", VERSION)
    write_tiny_artifact(folder, "several", VERSION, thresholds=ANY_LABELS.thresholds)
    settings = ApiSettings(redis_url=redis_server.url)
    with (
        AnsweringWorker(settings),
        AnsweringWorker(settings, "several", rule=ANY_LABELS),
        RunningService(folder, "default", redis=redis_server, folder=folder, workers=0) as service,
    ):
        service.await_ready()
        yield service


@pytest.fixture(scope="module")
def triton(service: RunningService) -> dict[str, Any]:
    """What Triton's clients read."""
    return printed("triton_client.py", f"127.0.0.1:{service.port}", VERSION, *TEXTS)


def printed(script: str, *arguments: str) -> dict[str, Any]:
    """What a client's program says that it read."""
    program = Path(__file__).with_name(script)
    done = subprocess.run([PYTHON, program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def native(service: RunningService, **asked: Any) -> list[dict[str, Any]]:
    answer = httpx.post(f"{service.url}/predict?wait=30", json={"texts": TEXTS, **asked})
    found: list[dict[str, Any]] = answer.json()["predictions"]
    return found


def float32(rows: Any) -> Any:
    return np.asarray(rows, dtype=np.float32).tolist()


def test_triton_s_clients_read_what_the_native_api_says(service: RunningService, triton: dict[str, Any]) -> None:
    rows = native(service, top_k=2, scores=True, truncate="left")
    for kind in ("binary", "json", "binary_version", "json_version", "asynchronous_binary", "asynchronous_json"):
        read = triton[kind]
        for name in ("label", "tokens", "truncated"):
            assert read[name] == [row[name] for row in rows], kind
        assert float32(read["score"]) == float32([row["score"] for row in rows]), kind
        assert float32(read["scores"]) == float32([list(row["scores"].values()) for row in rows]), kind
        assert read["classes"] == list(rows[0]["scores"]), kind
        assert read["top_label"] == [[one["label"] for one in row["top"]] for row in rows], kind
    assert triton["usual"]["label"] == [row["label"] for row in rows]
    assert triton["usual"]["error"] == [""] * len(TEXTS)


def test_triton_s_client_reads_several_labels(service: RunningService, triton: dict[str, Any]) -> None:
    rows = native(service, model="several", scores=True)
    assert [json.loads(labels) for labels in triton["several"]["labels"]] == [row["labels"] for row in rows]
    assert float32(triton["several"]["scores"]) == float32([list(row["scores"].values()) for row in rows])


def test_triton_s_client_reads_health_metadata_and_errors(service: RunningService, triton: dict[str, Any]) -> None:
    assert [triton[name] for name in ("live", "ready", "model_ready", "absent_ready")] == [True, True, True, False]
    assert (triton["server"]["name"], triton["model"]["versions"]) == ("retort", [VERSION])
    assert "/inputs/0/name" in triton["bad_input"][1]
    status, detail = triton["late"]
    assert status == "408"
    address = detail.rpartition(" ")[2]
    lines = httpx.get(f"{service.url}{address}", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert len(lines) == len(TEXTS)


def test_kserve_s_client_reads_what_the_native_api_says(service: RunningService) -> None:
    found = printed("kserve_client.py", service.url, *TEXTS)
    rows = native(service, scores=True)
    assert (found["live"], found["ready"], found["model_ready"]) == (True, True, True)
    for kind in ("binary", "json"):
        assert found[kind]["label"] == [row["label"] for row in rows]
        assert float32(found[kind]["score"]) == float32([row["score"] for row in rows])
        assert float32(found[kind]["scores"]) == float32([list(row["scores"].values()) for row in rows])
    assert "/parameters/top: no such member" in found["error"]
