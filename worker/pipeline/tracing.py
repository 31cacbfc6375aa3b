"""A chunk's way through this worker as OpenTelemetry spans. Without a collector's address nothing is imported or done.

The spans are made once the chunk is settled, from the times that were noted on its way, so that tracing takes no time
of what it measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.pipeline.work import ChunkWork

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Record = Callable[[ChunkWork], None]
"""Is told of every chunk that is settled."""


def recorder(url: str | None, worker: str) -> Record:
    """Sends the spans of chunks to the collector at `url`; does nothing without one."""
    if not url:
        return lambda _: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return recorder_with(BatchSpanProcessor(OTLPSpanExporter(url)), worker)


def recorder_with(processor: SpanProcessor, worker: str) -> Record:
    """Hands the spans to `processor`."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider(
        resource=Resource.create({"service.name": "retort-worker", "service.instance.id": worker})
    )
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("retort")

    def record(work: ChunkWork) -> None:
        if not work.lease.trace:
            return
        context = TraceContextTextMapPropagator().extract({"traceparent": work.lease.trace})
        since_1970_ns = time.time_ns() - time.monotonic_ns()

        def at(monotonic_s: float) -> int:
            return since_1970_ns + int(monotonic_s * 1e9)

        admitted = work.arrived - work.queued_s
        chunk = tracer.start_span("chunk", context, SpanKind.CONSUMER, _attributes(work), start_time=at(admitted))
        inside = set_span_in_context(chunk)
        for name, started, ended in (("queue", admitted, work.arrived), *work.steps):
            tracer.start_span(name, inside, start_time=at(started)).end(at(ended))
        chunk.end()

    return record


def _attributes(work: ChunkWork) -> dict[str, str | int]:
    lease = work.lease
    return {
        "retort.job": lease.ticket.job_id,
        "retort.chunk": lease.ticket.chunk,
        "retort.attempt": lease.attempt,
        "retort.model": lease.model,
        "retort.version": work.model.version,
        "retort.lane": lease.lane,
        "retort.texts": len(lease.texts),
        "retort.tokens": work.tokens,
    }
