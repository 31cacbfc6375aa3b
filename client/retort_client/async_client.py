"""The client for asyncio: the same calls as `Client`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Self, TypeVar, Unpack

import httpx

from retort_client import calls, frames, transport, wire
from retort_client.documents import Answer, JobStatus, Model, ModelVersion
from retort_client.frames import F
from retort_client.retry import Call, Send
from retort_client.wire import Options, Reply, TransportFailure

T = TypeVar("T")


class AsyncClient:
    """A Retort service; the arguments are those of `Client`, with an httpx.AsyncClient as `http`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        retries: int = 6,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._service = transport.Service(url=url, api_key=api_key, timeout_s=timeout_s, retries=retries)
        self._http = http or httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def predict(
        self, texts: Sequence[str], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> list[Answer]:
        """See `Client.predict`."""
        request = wire.submission(texts, options, idempotency_key)
        return await self._run(calls.predict(request, self._service.patience()))

    async def predict_frame(self, frame: F, column: str = "text", **options: Unpack[Options]) -> F:
        """See `Client.predict_frame`."""
        answers: list[Answer] = []
        for cells in frames.windows(frame, column):
            texts = frames.texts(cells)
            answers += frames.beside(cells, await self.predict(texts, **options) if texts else ())
        return frames.joined(frame, answers)

    async def submit(
        self, texts: Sequence[str], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> AsyncJob:
        """See `Client.submit`."""
        request = wire.submission(texts, options, idempotency_key)
        return AsyncJob(self, await self._run(calls.status(request, self._service.patience())))

    async def job(self, job_id: str) -> AsyncJob:
        """See `Client.job`."""
        return AsyncJob(self, await self._run(calls.status(wire.job(job_id), self._service.patience())))

    async def models(self) -> list[Model]:
        """See `Client.models`."""
        return await self._run(calls.models(self._service.patience()))

    async def model(self, name: str) -> list[ModelVersion]:
        """See `Client.model`."""
        return await self._run(calls.model(name, self._service.patience()))

    async def _run(self, call: Call[T]) -> T:
        try:
            send = next(call)
            while True:
                send = call.send(await self._perform(send))
        except StopIteration as done:
            value: T = done.value
            return value

    async def _perform(self, send: Send) -> Reply | TransportFailure:
        await asyncio.sleep(send.pause_s)
        try:
            return transport.reply(await self._http.request(**self._service.arguments(send)))
        except httpx.TransportError as error:
            return self._service.lost(error)


class AsyncJob:
    """A submitted job; see `Job`."""

    def __init__(self, client: AsyncClient, status: JobStatus) -> None:
        self._client = client
        self.status = status
        """As it was last seen."""

    @property
    def id(self) -> str:
        return self.status.id

    async def refresh(self) -> JobStatus:
        """See `Job.refresh`."""
        self.status = (await self._client.job(self.id)).status
        return self.status

    async def wait(self, timeout_s: float | None = None) -> JobStatus:
        """See `Job.wait`."""
        self.status = await self._client._run(calls.wait(self.id, self._client._service.patience(timeout_s)))
        return self.status

    async def results(self, start: int = 0, timeout_s: float | None = None) -> AsyncIterator[Answer]:
        """See `Job.results`."""
        following: int | None = start
        while following is not None:
            page = await self._client._run(calls.page(self.id, following, self._client._service.patience(timeout_s)))
            for answer in page.answers:
                yield answer
            following = page.next

    async def cancel(self) -> None:
        """See `Job.cancel`."""
        await self._client._run(calls.remove(self.id, self._client._service.patience()))
