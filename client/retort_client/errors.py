"""What can go wrong, one exception a family of problems. All are RetortError."""

from __future__ import annotations

from retort_client.problem import Problem


class RetortError(Exception):
    """Base of all that this package raises."""


class Unreachable(RetortError):
    """No reply: connection refused, dropped or timed out, as often as it was tried."""


class UnexpectedReply(RetortError):
    """A reply that Retort would not give; the address may be another service's."""


class TimedOut(RetortError):
    """The job has not ended in the time that was given. It goes on: `client.job(error.job_id)`."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} has not ended in time; it goes on")
        self.job_id = job_id


class JobCancelled(RetortError):
    """Somebody cancelled the job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id


class ProblemError(RetortError):
    """The service refused the request, or failed; `problem` says why."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.retry_after_s = retry_after_s
        """Seconds after which the service wants to be asked again, when it says so."""


class BadRequest(ProblemError):
    """Parts of the request are not valid, or too large; `problem.faults` says which."""


class IdempotencyConflict(BadRequest):
    """The idempotency key was used for another request."""


class Unauthorized(ProblemError):
    """The service wants a valid API key."""


class NotFound(ProblemError):
    """No such job or model; or the job is another caller's."""


class Gone(ProblemError):
    """The job was deleted, cancelled, or ended so long ago that its results were dropped."""


class Busy(ProblemError):
    """The backlog is full or the key's rate used up; it was tried again for as long as was allowed."""


class ServiceFailed(ProblemError):
    """The service, or what it needs, is down."""


_BY_CODE = {"idempotency-conflict": IdempotencyConflict}
_BY_STATUS = {401: Unauthorized, 403: Unauthorized, 404: NotFound, 410: Gone, 429: Busy}


def of_problem(problem: Problem, status: int, retry_after_s: float | None = None) -> ProblemError:
    """The exception of a problem's family."""
    family = ServiceFailed if status >= 500 else BadRequest
    found = _BY_CODE.get(problem.code) or _BY_STATUS.get(status, family)
    return found(problem, retry_after_s)
