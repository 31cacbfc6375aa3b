"""OpenTelemetry traces of requests. Without a collector's address nothing is imported and nothing is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, g

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

UNTRACED = "/health/,/metrics"


def install(app: Flask, url: str | None) -> None:
    """Send a span of every request to the collector at `url`."""
    if url:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        trace_with(app, BatchSpanProcessor(OTLPSpanExporter(url)))


def trace_with(app: Flask, processor: SpanProcessor) -> None:
    """Hand the spans to `processor`; what the spans of the job go on from is in `g.trace`, as W3C traceparent."""
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider(resource=Resource.create({"service.name": "retort-api"}))
    provider.add_span_processor(processor)
    instrumentor = FlaskInstrumentor()
    instrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=UNTRACED)  # type: ignore[no-untyped-call]

    @app.before_request
    def remember() -> None:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        g.trace = carrier.get("traceparent", "")
