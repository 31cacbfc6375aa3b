"""One trace from the request through Redis to the worker, and nothing of it where no trace is wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import redis
from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import api.http.tracing
import worker.pipeline.tracing
from api.app import create_app
from api.settings import ApiSettings
from contract.chunk_store import ChunkStore
from contract.message import Lane, Ticket, queue_name, unpack
from encoders.tokenization import EncodedText
from harness.answering_worker import argument
from harness.redis_server import RedisServer
from tests.stand_ins import EchoModel, as_any, ids_of
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.committer import Committer
from worker.pipeline.handler import MessageHandler
from worker.pipeline.inference import Inference
from worker.queueing.flow_control import FlowControl

ROOT = Path(__file__).parents[2]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{PARENT}-{flag}" for flag in ("01", "00"))
ASKED = {"texts": ["one", "two"]}


class Letters:
    """A tokenizer: each text is its letters."""

    def encode(self, texts: list[str], *_: object) -> list[EncodedText]:
        return [EncodedText(ids=ids_of(*map(ord, text)), length=len(text) + 2) for text in texts]


class TracedWorker:
    """The real way of a message through a worker, traced, with a model that echoes."""

    def __init__(self, client: redis.Redis, settings: ApiSettings, spans: InMemorySpanExporter) -> None:
        self.chunks = ChunkStore(client, settings, worker="traced")
        self._client = client
        self._queue = queue_name(settings.default_model, Lane.INTERACTIVE)
        model = as_any(EchoModel())
        model.tokenizer, model.manifest.max_length = Letters(), 64
        self.committer = Committer(self.chunks, lambda *_: None)
        self.inference = Inference(
            batcher=Batcher(2.0),
            start_suspect=lambda _: True,
            on_complete=self.committer.add,
            is_out_of_memory=lambda _: False,
            on_taken=lambda _queue, _tokens: None,
            on_paid=lambda _model, _seconds: None,
            cache=AnswerCache(0),
        )
        record = worker.pipeline.tracing.recorder_with(SimpleSpanProcessor(spans), "traced")
        models = SimpleNamespace(model=lambda _: model)
        self._handler = MessageHandler(
            chunks=self.chunks,
            models=models,
            inference=self.inference,
            committer=self.committer,
            flow=FlowControl(),
            cache=AnswerCache(0),
            send_back=lambda _: None,
            give_back=lambda _: None,
            record=record,
        )

    def take(self) -> list[Ticket]:
        _, message = self._client.brpop([self._queue], timeout=10)  # type: ignore[misc]
        return unpack(argument(str(message)))

    def work(self) -> None:
        self.process(self.take())

    def process(self, tickets: list[Ticket]) -> None:
        self._handler.handle(tickets)


@pytest.fixture
def settings(redis_server: RedisServer) -> ApiSettings:
    return ApiSettings(redis_url=redis_server.url)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def app(store: redis.Redis, settings: ApiSettings, spans: InMemorySpanExporter) -> Iterator[Flask]:
    assert store.dbsize() == 0
    made = create_app(settings)
    api.http.tracing.trace_with(made, SimpleSpanProcessor(spans))
    yield made
    made.extensions["retort"].close()


@pytest.fixture
def traced(store: redis.Redis, settings: ApiSettings, spans: InMemorySpanExporter) -> Iterator[TracedWorker]:
    made = TracedWorker(store, settings, spans)
    made.committer.start()
    made.inference.start()
    yield made
    made.inference.stop()
    made.committer.stop()


def ask(app: Flask, wait_s: int, traceparent: str) -> str:
    """The id of the job."""
    headers = {"Prefer": f"wait={wait_s}", "traceparent": traceparent}
    with app.test_client().post("/predict", json=ASKED, headers=headers) as answer:
        return str(answer.get_json()["id"])


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    found = {span.name: span for span in spans.get_finished_spans()}
    assert len(found) == len(spans.get_finished_spans())
    return found


def parent_id(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def own_id(span: ReadableSpan) -> int:
    return span.get_span_context().span_id  # type: ignore[union-attr]


def test_a_request_and_the_work_it_makes_are_one_trace(
    app: Flask, traced: TracedWorker, spans: InMemorySpanExporter
) -> None:
    working = Thread(target=traced.work)
    working.start()
    job = ask(app, 10, SAMPLED)
    working.join()

    found = by_name(spans)
    request, chunk = found["POST /predict"], found["chunk"]
    assert found.keys() == {"POST /predict", "chunk", "queue", "tokenize", "batch", "commit"}
    assert {format(span.get_span_context().trace_id, "032x") for span in found.values()} == {TRACE}  # type: ignore[union-attr]
    assert format(parent_id(request), "016x") == PARENT
    assert parent_id(chunk) == own_id(request)
    assert {parent_id(found[step]) for step in ("queue", "tokenize", "batch", "commit")} == {own_id(chunk)}
    assert chunk.attributes is not None
    assert (chunk.attributes["retort.job"], chunk.attributes["retort.texts"]) == (job, 2)


def test_the_steps_of_a_chunk_follow_each_other(app: Flask, traced: TracedWorker, spans: InMemorySpanExporter) -> None:
    ask(app, 0, SAMPLED)
    traced.work()

    found = by_name(spans)
    steps = [found[name] for name in ("queue", "tokenize", "batch", "commit")]
    times = [at for step in steps for at in (step.start_time or 0, step.end_time or 0)]
    assert times == sorted(times)
    assert times[0] == found["chunk"].start_time
    assert times[-1] <= (found["chunk"].end_time or 0)


def test_the_trace_goes_on_in_the_worker_that_takes_over(
    app: Flask, store: redis.Redis, settings: ApiSettings, traced: TracedWorker, spans: InMemorySpanExporter
) -> None:
    ask(app, 0, SAMPLED)
    ChunkStore(store, settings, worker="dead").lease(traced.take())
    [ticket] = [Ticket.parse(str(text)) for text in store.smembers("retort:leased:dead")]
    assert traced.chunks.reclaim([ticket], "dead", "it died")

    traced.process([ticket])

    chunk = by_name(spans)["chunk"]
    assert format(chunk.get_span_context().trace_id, "032x") == TRACE  # type: ignore[union-attr]
    assert chunk.attributes is not None
    assert chunk.attributes["retort.attempt"] == 2


def test_what_the_client_does_not_sample_is_not_traced(
    app: Flask, traced: TracedWorker, spans: InMemorySpanExporter
) -> None:
    ask(app, 0, UNSAMPLED)
    traced.work()

    assert spans.get_finished_spans() == ()


def test_probes_and_scrapes_are_not_traced(app: Flask, spans: InMemorySpanExporter) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        app.test_client().get(path).close()

    assert spans.get_finished_spans() == ()


def test_no_trace_is_stored_when_tracing_is_off(
    store: redis.Redis, settings: ApiSettings, traced: TracedWorker, spans: InMemorySpanExporter
) -> None:
    plain = create_app(settings)
    job = ask(plain, 0, SAMPLED)
    traced.work()

    assert store.hget(f"retort:job:{job}", "trace") is None
    assert spans.get_finished_spans() == ()
    plain.extensions["retort"].close()


def test_no_tracer_is_loaded_when_tracing_is_off() -> None:
    script = """
import sys, worker.pipeline.tracing, worker.pipeline.handler
from api.app import create_app
create_app()
worker.pipeline.tracing.recorder(None, "w")
tracers = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.instrumentation")
print([name for name in sys.modules if name.startswith(tracers)], flush=True)
import os; os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stderr
