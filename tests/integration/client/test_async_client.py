"""AsyncClient carries out the same conversations as Client; here is what it does on its own: awaiting."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from harness.answering_worker import AnsweringWorker
from harness.ports import free_port
from retort_client import AsyncClient, BadRequest, Unreachable
from tests.integration.client.expected import expected
from tests.integration.client.faulty_server import Cut, FaultyServer, Refusal


@pytest.mark.usefixtures("worker")
def test_many_questions_at_once_get_their_own_answers(server: FaultyServer) -> None:
    texts = [f"question {n}" for n in range(200)]

    async def ask() -> list[object]:
        async with AsyncClient(server.url) as client:
            return list(await asyncio.gather(*(client.predict([text]) for text in texts)))

    assert asyncio.run(ask()) == [expected([text]) for text in texts]


def test_accidents_are_survived(server: FaultyServer, worker: AnsweringWorker) -> None:
    server.accidents.extend([Cut.AFTER, Refusal("503 Service Unavailable", {"Retry-After": "1"}), Cut.BEFORE])

    async def ask() -> object:
        async with AsyncClient(server.url) as client:
            return await client.predict(["a", "b"])

    assert asyncio.run(ask()) == expected(["a", "b"])
    assert len({ticket.partition("/")[0] for _, tickets in worker.messages for ticket in tickets}) == 1


def test_results_come_as_an_asynchronous_iterator(server: FaultyServer, worker: AnsweringWorker) -> None:
    texts = [f"question {n}" for n in range(2500)]
    worker.pause_s = 0.005

    async def read() -> list[object]:
        async with AsyncClient(server.url) as client:
            job = await client.submit(texts)
            return [answer async for answer in job.results()]

    assert asyncio.run(read()) == expected(texts)


def test_waiting_leaves_the_loop_free(server: FaultyServer, worker: AnsweringWorker) -> None:
    worker.go.clear()

    async def ask() -> int:
        async with AsyncClient(server.url) as client:
            waiting = asyncio.create_task(client.predict(["slow"]))
            for turns in count():
                await asyncio.sleep(0.01)
                if turns == 50:
                    worker.go.set()
                if waiting.done():
                    return turns
        raise AssertionError

    assert asyncio.run(ask()) >= 50


def test_jobs_are_watched_and_cancelled(server: FaultyServer, worker: AnsweringWorker) -> None:
    worker.go.clear()

    async def cancel() -> str:
        async with AsyncClient(server.url) as client:
            job = await client.submit(["a"])
            assert (await job.refresh()).is_open
            await (await client.job(job.id)).cancel()
            return (await job.wait()).state

    assert asyncio.run(cancel()) == "cancelled"


@pytest.mark.usefixtures("worker")
def test_models_are_listed(server: FaultyServer) -> None:
    async def names() -> list[str]:
        async with AsyncClient(server.url) as client:
            return [model.name for model in await client.models()]

    assert asyncio.run(names()) == ["default"]


def test_errors_are_those_of_the_client(server: FaultyServer) -> None:
    async def ask(url: str) -> None:
        async with AsyncClient(url, retries=0) as client:
            await client.predict([])

    with pytest.raises(BadRequest):
        asyncio.run(ask(server.url))
    with pytest.raises(Unreachable):
        asyncio.run(ask(f"http://127.0.0.1:{free_port()}"))
