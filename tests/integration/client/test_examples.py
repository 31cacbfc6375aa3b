"""The scripts of examples/, as they are, against a service; and the frames that one of them shows."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest
from standardwebhooks.webhooks import Webhook

from harness.answering_worker import AnsweringWorker, scores
from harness.ports import free_port
from harness.process import ServiceProcess
from harness.until import until
from harness.webhook_receiver import SECRET
from local.ports import is_free
from retort_client import AsyncClient, Client
from tests.integration.client.faulty_server import FaultyServer

EXAMPLES = Path(__file__).parents[3] / "examples"
CLIENT = EXAMPLES.parent / "client"
pytestmark = pytest.mark.usefixtures("worker")


def best(text: str) -> str:
    return max(scores(text).items(), key=lambda pair: pair[1])[0]


@pytest.mark.parametrize("script", ["quickstart", "pandas_frame", "asynchronous", "client"])
def test_it_runs_and_prints_labels(server: FaultyServer, script: str) -> None:
    command = [sys.executable, str(EXAMPLES / f"{script}.py")]
    environment = os.environ | {"PYTHONPATH": str(CLIENT), "RETORT_URL": server.url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(label in done.stdout for label in scores(""))


def test_the_quickstart_is_short() -> None:
    assert len((EXAMPLES / "quickstart.py").read_text(encoding="utf-8").splitlines()) <= 20


def test_the_receiver_of_webhooks_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    source, port = EXAMPLES / "webhook_receiver.py", free_port()
    assert len([line for line in source.read_text(encoding="utf-8").splitlines() if line]) <= 20
    environment = {"PYTHONPATH": str(CLIENT), "RETORT_WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    receiver = ServiceProcess([sys.executable, source], tmp_path / "receiver.log", environment)
    receiver.start()
    try:
        until(lambda: not is_free(port), what="the receiver")
        body = '{"type":"job.succeeded","timestamp":"2026-11-29T00:00:00+00:00","data":{"id":"a","status":"succeeded",'
        body += '"progress":{"texts":2,"done":2,"errors":0},"results":"/jobs/a/results"}}'
        signature = Webhook(SECRET).sign("a-1", now := datetime.now(UTC), body)
        headers = {"webhook-id": "a-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
        taken = httpx.post(f"http://127.0.0.1:{port}/", content=body, headers=headers)
        forged = httpx.post(f"http://127.0.0.1:{port}/", content=body + " ", headers=headers)
        assert (taken.status_code, forged.status_code) == (204, 400)
        assert "a-1 a succeeded 2" in receiver.last_lines()
    finally:
        receiver.kill()


def frame() -> pd.DataFrame:
    return pd.DataFrame({"text": ["one", None, "two", " "], "label": ["a", "b", "c", "d"]}, index=[7, 8, 9, 10])


def assert_labelled(found: pd.DataFrame) -> None:
    assert list(found.columns) == ["text", "label", "predicted_label", "score", "tokens", "truncated", "error"]
    assert list(found.index) == [7, 8, 9, 10]
    assert list(found["label"]) == ["a", "b", "c", "d"]
    assert found.loc[[7, 9], "predicted_label"].tolist() == [best("one"), best("two")]
    assert found.loc[[8, 10], "error"].tolist() == ["no-text", "empty-text"]
    assert found.loc[[8, 10], "score"].isna().all()


def test_a_frame_comes_back_with_its_labels_behind_its_own_columns(client: Client) -> None:
    assert_labelled(client.predict_frame(frame(), column="text"))
    assert client.predict_frame(frame().head(0)).empty


def test_a_column_that_is_not_there_is_named_with_those_that_are(client: Client) -> None:
    with pytest.raises(KeyError, match="no column 'post'; there are text, label"):
        client.predict_frame(frame(), column="post")
    with pytest.raises(KeyError, match="no column 'txet': did you mean 'text'"):
        client.predict_frame(frame(), column="txet")


async def labelled(url: str) -> pd.DataFrame:
    async with AsyncClient(url) as client:
        return await client.predict_frame(frame())


def test_the_asynchronous_client_does_the_same(server: FaultyServer) -> None:
    assert_labelled(asyncio.run(labelled(server.url)))


def test_a_frame_of_many_rows_is_asked_about_in_windows(
    client: Client, worker: AnsweringWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retort_client.frames.WINDOW", 3)
    texts = [f"text {number}" for number in range(8)]
    found = client.predict_frame(pd.DataFrame({"text": texts}))
    assert list(found["label"]) == [best(text) for text in texts]
    assert len({ticket.split("/")[0] for _, tickets in worker.messages for ticket in tickets}) == 3
