"""What a worker counts, for Prometheus; docs/operations.md says what to make of each."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WAITS = (*_SECONDS, 30, 60, 300, 1800, 3600)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TOKENS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)

BATCH_SECONDS = Histogram("retort_batch_seconds", "Time of a batch on the device", buckets=_SECONDS)
BATCH_TEXTS = Histogram("retort_batch_texts", "Texts of a batch", buckets=_TEXTS)
BATCH_TOKENS = Histogram("retort_batch_tokens", "Real tokens of a batch", buckets=_TOKENS)
BATCH_ROWS = Counter("retort_computed_tokens", "Tokens computed, the padding of rows included")
QUEUE_SECONDS = Histogram(
    "retort_queue_seconds", "From a job's admission to a worker's lease of a chunk", ["lane"], buckets=_WAITS
)
ANSWER_SECONDS = Histogram(
    "retort_answer_seconds", "From a job's admission to the commit of a chunk", ["lane"], buckets=_WAITS
)
TOKENIZE_SECONDS = Histogram("retort_tokenize_seconds", "Time to tokenize a message's texts", buckets=_SECONDS)
COMMIT_SECONDS = Histogram("retort_commit_seconds", "Time to commit a group of chunks", buckets=_SECONDS)
COMMITTED_TEXTS = Counter("retort_committed_texts", "Texts whose answer this worker committed first")
LATE_CHUNKS = Counter("retort_late_chunks", "Chunks that another worker had committed already")
SKIPPED_TICKETS = Counter("retort_skipped_tickets", "Tickets with nothing to do", ["why"])
RESENT_CHUNKS = Counter("retort_recovered_chunks", "Chunks that this worker's sweeps sent to the queue again", ["why"])
for _why in ("dead-worker", "forgotten", "lost-message"):
    RESENT_CHUNKS.labels(_why)  # from 0, for the first increase of a series that was not there goes unnoticed
UNREADABLE = Counter(
    "retort_unreadable", "What was found in Redis, the queue or the models and could not be read", ["kind"]
)
FAILED_TEXTS = Counter("retort_failed_texts", "Texts that the model failed on")
UNKNOWN_TEXTS = Counter("retort_unknown_texts", "Texts of which the vocabulary does not know a notable share")
REVIEW_TEXTS = Counter("retort_review_texts", "Answers that a person is to look at")
UNFAMILIAR_TEXTS = Counter("retort_unfamiliar_texts", "Texts unlike anything that their model has learnt from")
WINDOWS = Counter("retort_windows", "Windows that long texts were read in")
CACHED_ANSWERS = Counter("retort_cached_answers", "Texts whose answer had been computed before")
SHARED_ANSWERS = Counter("retort_shared_answers", "Texts that were equal to one of their batch")
HALVED_BUDGETS = Counter("retort_halved_budgets", "Times the device ran out of memory and batches were halved")
RELOADS = Counter("retort_reloads", "Versions loaded and served")
REFUSED_VERSIONS = Counter("retort_refused_versions", "Versions refused")
REFUSES_CURRENT = Gauge(
    "retort_refuses_current", "1 while the model's CURRENT names a version that this worker refuses", ["model"]
)
BEHIND = Gauge("retort_models_behind", "1 while models in object storage can't be followed; those at hand are served")
UNLOADED_MODELS = Counter("retort_unloaded_models", "Models that left memory to make room for another")
RETRACES = Gauge("retort_retraces_after_ready", "Traces or compilations of the served models since they were warm")
MODEL = Gauge(
    "retort_model_info", "The versions that are served", ["model", "version", "precision", "runtime", "device"]
)
READY = Gauge("retort_ready", "1 while this worker takes work")
OLDEST_WAITING = Gauge("retort_oldest_waiting_seconds", "How long the oldest text has waited in this worker")
