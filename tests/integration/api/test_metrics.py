from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from harness.answering_worker import VERSION, AnsweringWorker
from tests.integration.api.conftest import MakeApp, context

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(client: FlaskClient) -> Samples:
    """Every sample, read by Prometheus's own parser."""
    answer = client.get("/metrics")
    assert answer.mimetype == "text/plain"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.mark.usefixtures("worker")
def test_requests_and_jobs_are_counted(client: FlaskClient) -> None:
    labels = {"address": "/predict", "method": "POST", "status": "200"}
    before = scrape(client)
    client.post("/predict", json={"texts": ["a", "b"]})
    after = scrape(client)
    for name, more in (
        ("retort_http_requests_total", labels),
        ("retort_http_request_seconds_count", {"address": "/predict"}),
        ("retort_jobs_total", {"outcome": "accepted"}),
        ("retort_jobs_total", {"outcome": "succeeded"}),
    ):
        assert value(after, name, **more) == value(before, name, **more) + 1
    assert value(after, "retort_http_texts_total") == value(before, "retort_http_texts_total") + 2
    assert (
        value(
            after,
            "retort_workers",
            model="default",
            version=VERSION,
            state="ready",
        )
        == 1
    )


def test_the_backlog_is_measured_in_texts_and_seconds(make_app: MakeApp) -> None:
    app = make_app()
    client = app.test_client()
    client.post("/predict?wait=0", json={"texts": ["a"] * 50})
    client.post("/predict?wait=0", json={"texts": ["a"] * 500})
    with AnsweringWorker(context(app).settings, texts_per_s=10, held=True):
        context(app).fleet.refresh()
        samples = scrape(client)
    assert value(samples, "retort_backlog_texts", model="default", lane="interactive") == 50
    assert value(samples, "retort_backlog_seconds", model="default", lane="bulk") == 50
    assert value(samples, "retort_oldest_queued_seconds", model="default") >= 0


def test_no_request_stays_in_flight(client: FlaskClient) -> None:
    before = value(scrape(client), "retort_http_requests_in_flight")
    for path in ("/health/live", "/nowhere", "/jobs/x"):
        client.get(path)
    assert value(scrape(client), "retort_http_requests_in_flight") == before


def test_invented_methods_and_addresses_make_no_series_of_their_own(client: FlaskClient) -> None:
    client.open("/predict", method="BREW")
    client.get("/a/very/long/way")
    samples = scrape(client)
    assert value(samples, "retort_http_requests_total", address="none", method="other", status="405") >= 1
    assert value(samples, "retort_http_requests_total", address="none", method="GET", status="404") >= 1
    assert not any("BREW" in str(key) or "very" in str(key) for key in samples)


def test_a_file_is_counted_as_any_answer_is(client: FlaskClient) -> None:
    before = scrape(client)
    assert client.get("/docs/swagger-ui.css").status_code == 200
    after = scrape(client)
    labels = {"address": "/docs/<path:path>", "method": "GET", "status": "200"}
    assert (
        value(after, "retort_http_requests_total", **labels)
        == value(before, "retort_http_requests_total", **labels) + 1
    )
    assert value(after, "retort_http_requests_in_flight") == value(before, "retort_http_requests_in_flight")
