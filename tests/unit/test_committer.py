"""The commit thread: groups, order, and what it does while Redis is away."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event

import pytest
import redis

from contract.errors import StoreUnavailable
from contract.job_record import Commit
from harness.until import until
from tests.stand_ins import EchoModel, as_any, chunk_work
from worker import loops
from worker.pipeline import committer
from worker.pipeline.committer import Committer
from worker.pipeline.work import ChunkWork

PATIENCE_S = 10.0


class Store:
    """Takes commits like contract.chunk_store.Chunks; the first of each ticket is the first."""

    def __init__(self) -> None:
        self.groups: list[list[Commit]] = []
        self.faults = 0
        self.go_on = Event()
        self.go_on.set()
        self.entered = Event()

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        self.entered.set()
        self.go_on.wait(PATIENCE_S)
        if self.faults:
            self.faults -= 1
            raise StoreUnavailable("Redis: away")
        known = {commit.ticket for group in self.groups for commit in group}
        self.groups.append(list(commits))
        return [commit.ticket not in known for commit in commits]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def counted() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def make(store: Store, counted: list[tuple[int, int]]) -> Callable[[], Committer]:
    def start() -> Committer:
        made = Committer(as_any(store), lambda _, texts, size: counted.append((texts, size)))
        made.start()
        return made

    return start


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[str]:
    """Why the process would have ended itself."""
    why: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr(loops, "end_process", why.put)
    return why


def complete(number: int) -> ChunkWork:
    work = chunk_work(EchoModel(), 2, chunk=number)
    for index in range(2):
        work.answer(index, json.dumps({"n": 10 * number + index}), failed=index == 1)
    return work


def test_a_chunk_is_settled_once_its_answers_are_stored(make: Callable[[], Committer], store: Store) -> None:
    work, commits = complete(3), make()
    commits.add(work)
    assert work.settled.wait(PATIENCE_S)
    [[commit]] = store.groups
    assert (commit.ticket, commit.version, commit.errors) == (work.lease.ticket, "v1", 1)
    assert json.loads(commit.result) == {"version": "v1", "predictions": [{"n": 30}, {"n": 31}]}
    commits.stop()


def test_what_completes_while_a_commit_runs_goes_together(make: Callable[[], Committer], store: Store) -> None:
    works, commits = [complete(number) for number in range(6)], make()
    store.go_on.clear()
    commits.add(works[0])
    assert store.entered.wait(PATIENCE_S)
    for work in works[1:]:
        commits.add(work)
    store.go_on.set()
    assert commits.stop(PATIENCE_S)
    assert [[commit.ticket.chunk for commit in group] for group in store.groups] == [[0], [1, 2, 3, 4, 5]]


def test_commits_wait_for_redis_and_are_not_lost(
    make: Callable[[], Committer], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "RETRY_S", 0.01)
    store.faults = 3
    work, commits = complete(0), make()
    commits.add(work)
    assert work.settled.wait(PATIENCE_S)
    assert [commit.ticket for [commit] in store.groups] == [work.lease.ticket]
    commits.stop()


def test_a_late_commit_settles_its_chunk_too(make: Callable[[], Committer]) -> None:
    commits = make()
    for work in (complete(0), complete(0)):
        commits.add(work)
        assert work.settled.wait(PATIENCE_S)
    commits.stop()


def test_stopping_commits_what_was_added(
    make: Callable[[], Committer], store: Store, counted: list[tuple[int, int]]
) -> None:
    commits = make()
    for number in range(50):
        commits.add(complete(number))
    commits.stop()
    assert sorted(commit.ticket.chunk for group in store.groups for commit in group) == list(range(50))
    assert sum(texts for texts, _ in counted) == 100
    assert sum(size for _, size in counted) == 50 * len('["text","text"]')


def out_of_files() -> StoreUnavailable:
    """What a commit raises when its connection was cut and the process can open no other."""
    try:
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError as error:
            raise redis.ConnectionError("Error 24 connecting to redis") from error
    except redis.ConnectionError as error:
        away = StoreUnavailable(f"Redis: {error}")
        away.__cause__ = error
        return away


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fault", [AssertionError("a fault of the program"), out_of_files()], ids=["fault", "files"])
def test_an_error_that_waiting_does_not_cure_ends_the_process(
    make: Callable[[], Committer],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    ended: SimpleQueue[str],
    fault: Exception,
) -> None:
    def broken(_: Sequence[Commit]) -> list[bool]:
        raise fault

    monkeypatch.setattr(store, "commit", broken)
    commits = make()
    commits.add(complete(0))
    assert "commit" in ended.get(timeout=PATIENCE_S)
    until(lambda: "commit" not in [thread.name for thread in threading.enumerate()], PATIENCE_S)


def test_a_stop_is_bounded_while_redis_is_away_and_says_that_something_is_not_stored(
    make: Callable[[], Committer], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "RETRY_S", 0.01)
    store.faults = 1_000_000
    commits = make()
    commits.add(complete(0))
    assert not commits.stop(0.2)
    assert store.groups == []
