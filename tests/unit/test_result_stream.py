"""Pages of a job that goes on while they are read, without Redis and without a clock that passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from api.http.presence import ClientGone, Presence
from api.jobs import result_stream
from api.jobs.reader import LOOK_EVERY_S
from api.jobs.result_stream import StreamSpan, first_page, page, pages
from contract.errors import GoneJob, StoreUnavailable
from contract.job_record import JobRef, JobState, JobStatus, Snapshot, StoredChunk
from contract.message import Lane
from contract.prediction import Options
from tests.stand_ins import as_any

TEXTS, SIZE = 10, 4
"""Three chunks, of four, four and two texts."""
CHUNKS = (range(4), range(4, 8), range(8, 10))


def status(state: JobState = JobState.RUNNING) -> JobStatus:
    return JobStatus(
        id="j", state=state, model="m", version="v1", lane=Lane.BULK, options=Options(), caller="me", texts=TEXTS,
        done=0, errors=0, chunks=len(CHUNKS), dead=0,
        created_ms=0, started_ms=0, finished_ms=None, deadline_at_ms=0, ahead=0, drained=0,
    )  # fmt: skip


class Job:
    """A job whose chunks are committed by and by: the answer to a text is its number."""

    def __init__(self, committed: int) -> None:
        self.committed = committed
        self.state = JobState.RUNNING
        self.is_away = False
        """Whether Redis does not answer."""
        self.asked: list[list[int]] = []
        self.presence = Presence()
        self.waits: list[float] = []
        self.on_wait: Callable[[], object] = lambda: None

    def read(self, ref: JobRef, numbers: Sequence[int] = (0,)) -> Snapshot:
        assert ref == JobRef("j", "me")
        if self.is_away:
            raise StoreUnavailable("Redis: away")
        self.asked.append(list(numbers))
        return Snapshot(status(self.state), tuple(self.chunk(number) for number in numbers))

    def chunk(self, number: int) -> StoredChunk:
        texts = CHUNKS[number]
        answers = ",".join(json.dumps({"label": text}) for text in texts)
        result = f'{{"version":"v1","predictions":[{answers}]}}' if number < self.committed else None
        state = "committed" if result else "dropped" if self.state is JobState.EXPIRED else "leased"
        return StoredChunk(number=number, state=state, texts=len(texts), result=result, fault=None)

    @contextmanager
    def subscribe(self, job_id: str, presence: Presence) -> Iterator[Job]:
        assert (job_id, presence) == ("j", self.presence)
        yield self

    @property
    def is_gone(self) -> bool:
        return self.presence.is_gone

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 10, "it waits for ever"
        self.on_wait()

    def commit(self) -> None:
        self.committed += 1

    def pages(self, start: int = 0, stop: int = TEXTS, page_texts: int = 100, end_s: float | None = None) -> Any:
        asked = StreamSpan(start=start, stop=stop, page_texts=page_texts, end_s=end_s)
        found = pages(as_any(self), as_any(self), self.read(JobRef("j", "me")), self.presence, asked)
        return ((first, labels(rows)) for first, rows in found)


def labels(rows: Sequence[dict[str, Any]]) -> list[int]:
    return [row["label"] for row in rows]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows its last element."""
    now = [1000.0]
    monkeypatch.setattr(result_stream, "time", SimpleNamespace(monotonic=lambda: now[-1]))
    return now


@pytest.mark.parametrize("start", range(TEXTS))
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 9, 100])
def test_a_page_holds_the_texts_that_were_asked_for(start: int, limit: int) -> None:
    job = Job(committed=3)
    found = page(as_any(job), job.read(JobRef("j", "me")), start, limit)
    assert labels(found) == list(range(start, min(start + limit, TEXTS)))
    assert job.asked[-1] == [n for n, texts in enumerate(CHUNKS) if set(texts) & set(range(start, start + limit))]


def test_a_page_ends_before_the_first_chunk_that_is_not_there() -> None:
    job = Job(committed=1)
    first = job.read(JobRef("j", "me"))
    assert labels(page(as_any(job), first, 2, 100)) == [2, 3]
    assert page(as_any(job), first, 4, 100) == []


def test_a_page_says_how_the_job_ended_of_texts_that_it_ended_before() -> None:
    job = Job(committed=2)
    job.state = JobState.EXPIRED
    answered, dropped, _ = page(as_any(job), job.read(JobRef("j", "me")), 7, 100)
    assert answered == {"label": 7}
    assert dropped["error"]["detail"] == "the job ended as expired before this text was predicted"


def test_a_stream_has_every_text_once_and_no_more_than_a_page_at_once() -> None:
    job = Job(committed=3)
    assert list(job.pages(page_texts=3)) == [(0, [0, 1, 2]), (3, [3, 4, 5]), (6, [6, 7, 8]), (9, [9])]
    assert job.waits == []


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (3, 7), (7, 9), (9, 99), (10, 11), (5, 5)])
def test_a_stream_ends_where_it_was_told_to(start: int, stop: int) -> None:
    found = list(Job(committed=3).pages(start, stop, page_texts=2))
    assert [label for _, each in found for label in each] == list(range(start, min(stop, TEXTS)))
    assert [first for first, _ in found] == list(range(start, min(stop, TEXTS), 2))


def test_a_stream_hands_on_what_is_there_and_waits_for_the_rest() -> None:
    job = Job(committed=0)
    job.on_wait = job.commit
    assert list(job.pages()) == [(0, [0, 1, 2, 3]), (4, [4, 5, 6, 7]), (8, [8, 9])]
    assert job.waits == [LOOK_EVERY_S] * 3


def test_a_stream_goes_on_when_redis_is_back() -> None:
    job = Job(committed=3)
    stream = job.pages(page_texts=4)
    assert next(stream) == (0, [0, 1, 2, 3])
    job.is_away = True

    def come_back() -> None:
        job.is_away = len(job.waits) < 3

    job.on_wait = come_back
    assert [first for first, _ in stream] == [4, 8]
    assert len(job.waits) == 3


def test_a_stream_of_a_cancelled_job_is_an_error() -> None:
    job = Job(committed=1)
    stream = job.pages(page_texts=4)
    next(stream)
    job.state = JobState.CANCELLED
    with pytest.raises(GoneJob):
        next(stream)


def test_a_stream_ends_with_its_client() -> None:
    job = Job(committed=1)
    job.on_wait = job.presence.leave
    stream = job.pages()
    assert next(stream) == (0, [0, 1, 2, 3])
    with pytest.raises(ClientGone):
        next(stream)
    assert len(job.waits) == 1


def test_a_stream_waits_until_its_time_is_over_and_no_longer_at_once_than_it_looks(clock: list[float]) -> None:
    job = Job(committed=1)
    job.on_wait = lambda: clock.append(clock[-1] + job.waits[-1])
    assert list(job.pages(end_s=1010.5)) == [(0, [0, 1, 2, 3])]
    assert job.waits == [LOOK_EVERY_S, LOOK_EVERY_S, 0.5]


def test_what_is_there_is_handed_on_though_the_time_is_over(clock: list[float]) -> None:
    assert list(Job(committed=2).pages(page_texts=4, end_s=clock[-1])) == [(0, [0, 1, 2, 3]), (4, [4, 5, 6, 7])]


def test_the_first_page_is_the_first_that_is_not_empty() -> None:
    def asked(job: Job, end_s: float | None = None) -> list[int]:
        span = StreamSpan(start=2, stop=TEXTS, page_texts=3, end_s=end_s)
        return labels(first_page(as_any(job), as_any(job), job.read(JobRef("j", "me")), job.presence, span))

    assert asked(Job(committed=2)) == [2, 3, 4]
    late = Job(committed=0)
    late.on_wait = late.commit
    assert asked(late) == [2, 3]
    assert asked(Job(committed=0), end_s=0.0) == []
    gone = Job(committed=0)
    gone.presence.leave()
    assert asked(gone) == []
