"""The client for programs that wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Self, TypeVar, Unpack

import httpx

from retort_client import calls, frames, transport, wire
from retort_client.documents import Answer, JobStatus, Model, ModelVersion
from retort_client.frames import F
from retort_client.retry import Call, Send
from retort_client.wire import Options, Reply, TransportFailure

T = TypeVar("T")


class Client:
    """A Retort service. Several threads may use it at once.

    timeout_s: how long each call goes on, retries and waiting included; `math.inf`: for ever.
    retries: failures in a row that are tried again while the service does not say when to; a busy service does say.
    http: an httpx.Client of your own, for proxies, certificates and the like.
    Every call raises RetortError; its class says what is wrong. Retries are logged to the logger `retort_client`.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        retries: int = 6,
        http: httpx.Client | None = None,
    ) -> None:
        self._service = transport.Service(url=url, api_key=api_key, timeout_s=timeout_s, retries=retries)
        self._http = http or httpx.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def predict(
        self, texts: Sequence[str], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> list[Answer]:
        """Waits for the answers, in the order of the texts: each a Prediction or a TextError.

        However often it has to be sent, it makes one job. Raises TimedOut with the id of a job that goes on.
        """
        request = wire.submission(texts, options, idempotency_key)
        return self._run(calls.predict(request, self._service.patience()))

    def predict_frame(self, frame: F, column: str = "text", **options: Unpack[Options]) -> F:
        """The pandas DataFrame with `label`, `score`, `tokens`, `truncated` and `error` behind its columns.

        A name that the frame has already becomes `predicted_label` and so on; rows without a text get an error.
        """
        answers: list[Answer] = []
        for cells in frames.windows(frame, column):
            texts = frames.texts(cells)
            answers += frames.beside(cells, self.predict(texts, **options) if texts else ())
        return frames.joined(frame, answers)

    def submit(self, texts: Sequence[str], *, idempotency_key: str | None = None, **options: Unpack[Options]) -> Job:
        """Hand texts in without waiting for their answers."""
        request = wire.submission(texts, options, idempotency_key)
        return Job(self, self._run(calls.status(request, self._service.patience())))

    def job(self, job_id: str) -> Job:
        """A job that was submitted before. Raises NotFound or Gone."""
        return Job(self, self._run(calls.status(wire.job(job_id), self._service.patience())))

    def models(self) -> list[Model]:
        """What is published or served."""
        return self._run(calls.models(self._service.patience()))

    def model(self, name: str) -> list[ModelVersion]:
        """A model's versions, newest first. Raises NotFound."""
        return self._run(calls.model(name, self._service.patience()))

    def _run(self, call: Call[T]) -> T:
        try:
            send = next(call)
            while True:
                send = call.send(self._perform(send))
        except StopIteration as done:
            value: T = done.value
            return value

    def _perform(self, send: Send) -> Reply | TransportFailure:
        time.sleep(send.pause_s)
        try:
            return transport.reply(self._http.request(**self._service.arguments(send)))
        except httpx.TransportError as error:
            return self._service.lost(error)


class Job:
    """A submitted job. timeout_s is the client's unless given."""

    def __init__(self, client: Client, status: JobStatus) -> None:
        self._client = client
        self.status = status
        """As it was last seen."""

    @property
    def id(self) -> str:
        return self.status.id

    def refresh(self) -> JobStatus:
        """The job as it stands now."""
        self.status = self._client.job(self.id).status
        return self.status

    def wait(self, timeout_s: float | None = None) -> JobStatus:
        """The job once it has ended, however it did. Raises TimedOut."""
        self.status = self._client._run(calls.wait(self.id, self._client._service.patience(timeout_s)))
        return self.status

    def results(self, start: int = 0, timeout_s: float | None = None) -> Iterator[Answer]:
        """The answers from text `start` on, in order, as soon as they are there; holds one page at a time.

        timeout_s: how long to wait for the next answer. Raises TimedOut, and Gone once the job is cancelled.
        """
        following: int | None = start
        while following is not None:
            page = self._client._run(calls.page(self.id, following, self._client._service.patience(timeout_s)))
            yield from page.answers
            following = page.next

    def cancel(self) -> None:
        """What has not run never will; texts and results are deleted, also those of a job that has ended."""
        self._client._run(calls.remove(self.id, self._client._service.patience()))
