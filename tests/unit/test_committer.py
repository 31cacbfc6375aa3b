"""The commit thread: groups, order, and what it does while Redis is away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from threading import Event

import pytest

from contract.errors import StoreUnavailable
from contract.job_record import Commit
from tests.stand_ins import EchoModel, as_any, chunk_work
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
        made = Committer(as_any(store), lambda texts, size: counted.append((texts, size)))
        made.start()
        return made

    return start


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
    commits.stop()
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
    assert sum(size for _, size in counted) == 100 * len("text")


def test_an_error_that_is_none_of_redis_ends_the_thread_so_that_the_worker_ends(
    make: Callable[[], Committer], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Sequence[Commit]) -> list[bool]:
        raise AssertionError("a fault of the program")

    monkeypatch.setattr(store, "commit", broken)
    commits = make()
    commits.add(complete(0))
    commits._thread.join(PATIENCE_S)
    assert not commits.is_alive()
