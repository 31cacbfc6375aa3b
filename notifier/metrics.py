"""What a notifier counts, for Prometheus; docs/operations.md says what to make of each."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ATTEMPTS = Counter("retort_webhook_attempts", "Attempts to send a webhook", ["outcome"])
ATTEMPT_SECONDS = Histogram(
    "retort_webhook_attempt_seconds",
    "Time of an attempt, from the DNS to the answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DELAY_SECONDS = Histogram(
    "retort_webhook_delay_seconds",
    "From a job's end to the answer that its webhook has arrived",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1800, 3600, 14400, 86400),
)
SWEPT = Counter("retort_swept_webhooks", "Webhooks for which a sweep sent a message: after long pauses, or a lost one")
for _outcome in ("delivered", "again", "dead", "disabled"):
    ATTEMPTS.labels(_outcome)  # from 0, for the first increase of a series that was not there goes unnoticed
