"""A message's way through the worker, with a store that hands out leases and a model that echoes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from contract.message import Ticket
from contract.prediction import Options
from harness.until import until
from tests.stand_ins import echo, ids_of
from tests.unit.handler_rig import MAX_TOKENS, PATIENCE_S, Rig, in_thread, running
from worker.metrics import UNKNOWN_TEXTS
from worker.pipeline import handler as handler_module
from worker.pipeline.work import ChunkWork
from worker.queueing.flow_control import PauseReason


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running(Rig()) as rig:
        yield rig


@pytest.fixture
def idle_rig() -> Iterator[Rig]:
    """One whose device never runs."""
    with running(Rig(), device=False) as rig:
        yield rig


def test_a_message_returns_when_the_answers_of_all_its_chunks_are_stored(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["3 4", "5"], Ticket("b", 0): ["6"], Ticket("c", 1): ["7 8 9"]}
    rig.handler.handle([*rig.store.chunks, Ticket("gone", 0)])
    for ticket, texts in rig.store.chunks.items():
        predictions = json.loads(rig.store.results[ticket])["predictions"]
        high = [prediction["scores"]["high"] for prediction in predictions]
        assert high == pytest.approx([echo(ids_of(*map(int, text.split())))[1] for text in texts], abs=1e-6)
    assert rig.held_tokens() == 0
    assert rig.handler.held() == set()


def test_empty_and_overlong_texts_get_their_error_and_the_others_their_answer(rig: Rig) -> None:
    rig.store.options = Options(truncate="error")
    rig.store.chunks = {Ticket("a", 0): ["", "5", " ".join(["5"] * 30), "  ", "\u200b"]}
    rig.handler.handle(list(rig.store.chunks))
    answers = json.loads(rig.store.results[Ticket("a", 0)])["predictions"]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        "empty-text",
        None,
        "text-too-long",
        "empty-text",
        "empty-text",
    ]
    assert answers[2]["error"]["detail"] == "the text has 32 tokens, the model reads 20"


def test_a_chunk_of_nothing_but_errors_is_stored_without_the_device(idle_rig: Rig) -> None:
    idle_rig.store.chunks = {Ticket("a", 0): ["", "\u200b"]}
    idle_rig.handler.handle(list(idle_rig.store.chunks))
    assert Ticket("a", 0) in idle_rig.store.results


def test_a_cut_text_says_so(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): [" ".join(["5"] * 30)]}
    rig.handler.handle(list(rig.store.chunks))
    [answer] = json.loads(rig.store.results[Ticket("a", 0)])["predictions"]
    assert (answer["truncated"], answer["tokens"]) == (True, MAX_TOKENS)


def test_a_text_of_unknown_words_says_so_and_is_counted_whether_its_answer_is_remembered_or_not(rig: Rig) -> None:
    before = UNKNOWN_TEXTS._value.get()
    rig.store.chunks = {Ticket("a", 0): ["99 99 5", "5"], Ticket("b", 0): ["99 99 5"]}
    for ticket in list(rig.store.chunks):
        rig.handler.handle([ticket])

    first, second = (json.loads(rig.store.results[ticket])["predictions"] for ticket in rig.store.chunks)
    assert [answer.get("unknown") for answer in first] == [0.67, None]
    assert second == first[:1]
    assert UNKNOWN_TEXTS._value.get() == before + 2


def test_leasing_waits_for_redis(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_module, "RETRY_S", 0.01)
    rig.store.chunks, rig.store.away = {Ticket("a", 0): ["5"]}, 3
    rig.handler.handle(list(rig.store.chunks))
    assert Ticket("a", 0) in rig.store.results


def test_a_chunk_of_which_no_trace_can_be_made_does_not_stop_its_neighbours(rig: Rig) -> None:
    told: list[Ticket] = []

    def record(work: ChunkWork) -> None:
        told.append(work.lease.ticket)
        raise RuntimeError("no collector")

    rig.handler._record = record
    rig.store.chunks = {Ticket("a", 0): ["3"], Ticket("b", 0): ["4"]}
    rig.handler.handle(list(rig.store.chunks))
    assert told == list(rig.store.chunks) == list(rig.store.results)
    assert (rig.held_tokens(), rig.handler.held()) == (0, set())


def test_a_worker_that_drains_sends_back_what_it_took_and_does_not_lease(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["3"], Ticket("b", 0): ["4"]}
    rig.flow.pause(PauseReason.DRAINING)
    rig.handler.handle(list(rig.store.chunks))
    assert rig.sent_back == list(rig.store.chunks)
    assert (rig.store.leased, rig.handler.held()) == ([], set())


def test_a_chunk_that_can_not_be_read_does_not_stop_its_neighbours(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["not a number"], Ticket("b", 0): ["5"]}
    rig.handler.handle(list(rig.store.chunks))
    assert list(rig.store.results) == [Ticket("b", 0)]
    assert rig.held_tokens() == 0
    assert rig.handler.held() == set()


def test_a_chunk_whose_model_left_memory_meanwhile_goes_back_to_its_queue(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["5"]}
    rig.loaded = None
    rig.handler.handle(list(rig.store.chunks))
    assert rig.given_back == [Ticket("a", 0)]
    assert (rig.store.results, rig.held_tokens(), rig.handler.held()) == ({}, 0, set())


def test_a_second_message_for_a_chunk_that_is_held_returns_at_once(idle_rig: Rig) -> None:
    rig, ticket = idle_rig, Ticket("a", 0)
    rig.store.chunks = {ticket: ["5"]}
    first = in_thread(lambda: rig.handler.handle([ticket]))
    until(lambda: len(rig.inference._batcher) == 1)
    rig.handler.handle([ticket])
    assert rig.store.leased == [ticket]
    assert rig.handler.held() == {ticket}
    rig.inference.start()
    first.join(PATIENCE_S)
    rig.inference.stop()
    assert ticket in rig.store.results


def test_a_dropped_chunk_lets_its_message_go_and_frees_its_room(idle_rig: Rig) -> None:
    rig = idle_rig
    rig.store.chunks = {Ticket("a", 0): ["5"], Ticket("b", 0): ["6"]}
    messages = [in_thread(lambda t=ticket: rig.handler.handle([t])) for ticket in rig.store.chunks]  # type: ignore[misc]
    until(lambda: rig.held_tokens() == 6)
    dropped = rig.handler.drop(lambda work: work.lease.ticket.job_id == "a")
    assert [work.lease.ticket for work in dropped] == [Ticket("a", 0)]
    messages[0].join(PATIENCE_S)
    until(lambda: rig.held_tokens() == 3)
    assert rig.handler.held() == {Ticket("b", 0)}
    rig.handler.drop(lambda _: True)
    messages[1].join(PATIENCE_S)


def test_a_text_that_comes_again_gets_the_same_answer_without_the_device(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["5", "6"], Ticket("b", 0): ["6", "5 5", "5"]}
    for ticket in list(rig.store.chunks):
        rig.handler.handle([ticket])
    first, second = (json.loads(rig.store.results[ticket])["predictions"] for ticket in rig.store.chunks)
    assert [second[2], second[0]] == first
    assert [len(batch) for batch in rig.loaded.batches] == [2, 1]


def test_a_chunk_whose_answers_are_all_known_is_committed_at_once(rig: Rig) -> None:
    rig.store.chunks = {Ticket("a", 0): ["5"], Ticket("b", 0): ["5"]}
    for ticket in list(rig.store.chunks):
        rig.handler.handle([ticket])
    assert rig.store.results[Ticket("a", 0)] == rig.store.results[Ticket("b", 0)]
    assert len(rig.loaded.batches) == 1
    assert rig.held_tokens() == 0
