"""Every error that crosses a package's border. The API maps them to HTTP in one table; here are no status codes."""

from __future__ import annotations


class RetortError(Exception):
    """Base of the errors that a user or an operator can do something about; `code` is stable."""

    code = "error"


class BadSettings(RetortError):
    """An environment variable has a value that can't be used."""

    code = "bad-settings"


class BadModel(RetortError):
    """A file of a model, be it an artifact or what training starts from, is unreadable or contradicts another."""

    code = "bad-model"


class BadArtifact(BadModel):
    """A model artifact is missing, incomplete, altered, or of a schema this release does not know."""

    code = "bad-artifact"


class BucketUnavailable(RetortError):
    """The object storage that holds the models can't be reached, or refuses what is asked."""

    code = "bucket-unavailable"


class NoModel(RetortError):
    """No version of the model is published yet, or no worker serves it."""

    code = "no-model"


class UnknownJob(RetortError):
    """The id was never issued by this service."""

    code = "unknown-job"


class GoneJob(RetortError):
    """The id was issued, and its job has since been deleted or has outlived its time to live."""

    code = "gone-job"


class BacklogFull(RetortError):
    """The backlog is at its bound; `retry_after_s` says when there should be room."""

    code = "backlog-full"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class IdempotencyConflict(RetortError):
    """The idempotency key was used before with another body."""

    code = "idempotency-conflict"


class StoreUnavailable(RetortError):
    """Redis is unreachable, loading, out of memory, or read-only."""

    code = "store-unavailable"
