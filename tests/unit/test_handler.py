"""A message's way through the worker, with a store that hands out leases and a model that echoes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any

import numpy as np
import pytest

from contract.artifact import Windows
from contract.chunk_store import Skipped
from contract.errors import NoModel, StoreUnavailable
from contract.job_record import Commit, Lease
from contract.message import Lane, Ticket
from contract.prediction import Options
from encoders.tokenization import EncodedText
from harness.until import until
from tests.stand_ins import POISON, EchoModel, as_any, echo, echo_logits, ids_of
from worker.metrics import UNKNOWN_TEXTS
from worker.pipeline import handler as handler_module
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.committer import Committer
from worker.pipeline.handler import MessageHandler
from worker.pipeline.inference import Inference
from worker.pipeline.work import ChunkWork
from worker.queueing.flow_control import FlowControl, PauseReason

PATIENCE_S = 10.0
MAX_TOKENS = 20
UNKNOWN = 99
"""What the stand-in's tokenizer does not know."""


class Numbers:
    """A tokenizer of texts that are numbers: "3 4" is the tokens 3 and 4, and nothing is left of a zero-width space."""

    def encode(self, texts: Sequence[str], truncate: str, windows: Windows | None, most: int) -> list[EncodedText]:
        """With windows, texts of more tokens are read in pieces of so many, up to `most` of them."""
        made = []
        for text in texts:
            ids = ids_of(*(int(word) for word in text.split() if word != "\u200b"))
            fits = len(ids) <= MAX_TOKENS
            read = ids if fits else ids[: 0 if truncate == "error" else MAX_TOKENS]
            if windows and not fits:
                pieces = [ids_of(*ids[start : start + MAX_TOKENS]) for start in range(0, len(ids), MAX_TOKENS)][:most]
                made.append(EncodedText(ids=pieces[0], length=len(ids), more=tuple(pieces[1:]), covered=len(ids)))
                continue
            unknown = float(np.mean(ids[1:-1] == UNKNOWN)) if len(ids) > 2 else 0.0
            made.append(EncodedText(ids=read, length=len(ids), empty=len(ids) == 2, unknown_share=unknown))
        return made


class Store:
    """Leases the chunks that it was given, each once, and keeps their results."""

    def __init__(self) -> None:
        self.chunks: dict[Ticket, Sequence[str]] = {}
        self.options = Options(scores=True)
        self.results: dict[Ticket, str] = {}
        self.leased: list[Ticket] = []
        self.away = 0

    def lease(self, tickets: Sequence[Ticket]) -> list[Lease | Skipped]:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("Redis: away")
        return [self._lease(ticket) for ticket in tickets]

    def _lease(self, ticket: Ticket) -> Lease | Skipped:
        if ticket not in self.chunks:
            return Skipped(ticket, "gone")
        self.leased.append(ticket)
        texts = tuple(self.chunks[ticket])
        return Lease(
            ticket=ticket,
            attempt=1,
            model="m",
            lane=Lane.INTERACTIVE,
            options=self.options,
            deadline_at_ms=60_000,
            created_ms=0,
            leased_ms=0,
            texts=texts,
        )

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        self.results.update({commit.ticket: commit.result for commit in commits})
        return [True] * len(commits)


class Rig:
    def __init__(self) -> None:
        self.store, self.flow, model = Store(), FlowControl(), as_any(EchoModel())
        self.sent_back: list[Ticket] = []
        self.given_back: list[Ticket] = []
        self.loaded: Any = model
        model.tokenizer, model.manifest.max_length = Numbers(), MAX_TOKENS
        self.flow.open("m", {Lane.INTERACTIVE: 1000, Lane.BULK: 1000})
        self.committer = Committer(as_any(self.store), lambda *_: None)
        cache = AnswerCache(2**20)
        self.inference = Inference(
            batcher=Batcher(2.0),
            start_suspect=lambda _: True,
            on_complete=self.committer.add,
            is_out_of_memory=lambda _: False,
            on_taken=self.flow.take,
            on_paid=lambda _model, _seconds: None,
            cache=cache,
        )
        self.handler = MessageHandler(
            chunks=as_any(self.store),
            models=self,
            inference=self.inference,
            committer=self.committer,
            flow=self.flow,
            cache=cache,
            send_back=self.sent_back.extend,
            give_back=self.given_back.extend,
            max_windows=10,
        )

    def model(self, name: str) -> Any:
        if self.loaded is None:
            raise NoModel(name)
        return self.loaded

    def held_tokens(self) -> int:
        return sum(self.flow._held.values())


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    made.committer.start()
    made.inference.start()
    yield made
    made.inference.stop()
    made.committer.stop()


@pytest.fixture
def idle_rig() -> Iterator[Rig]:
    """One whose device never runs."""
    made = Rig()
    made.committer.start()
    yield made
    made.committer.stop()


def in_thread(work: Callable[[], None]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


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


LONG = " ".join(map(str, range(3, 3 + 2 * MAX_TOKENS)))
PIECES = [ids_of(*ids) for ids in ((1, *range(3, 22)), range(22, 42), (42, 2))]
"""The windows of LONG, as the stand-in's tokenizer cuts it."""


def long_scores(pieces: Sequence[Any], pooling: str) -> list[float]:
    logits = (np.mean if pooling == "mean" else np.max)([echo_logits(ids) for ids in pieces], axis=0)
    return [float(score) for score in np.exp(logits) / np.exp(logits).sum()]


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_long_text_is_computed_window_by_window_and_answered_once(rig: Rig, pooling: Any) -> None:
    rig.store.options = Options(scores=True, long=pooling)
    rig.store.chunks = {Ticket("a", 0): ["5", LONG, LONG, "6"]}

    rig.handler.handle(list(rig.store.chunks))

    answers = json.loads(rig.store.results[Ticket("a", 0)])["predictions"]
    assert [answer["scores"]["high"] for answer in answers] == pytest.approx(
        [echo(ids_of(5))[1], *[long_scores(PIECES, pooling)[1]] * 2, echo(ids_of(6))[1]], abs=1e-5
    )
    assert [answer.get("windows") for answer in answers] == [None, 3, 3, None]
    assert answers[1]["tokens"] == sum(map(len, PIECES))
    assert rig.held_tokens() == 0


def test_the_windows_of_a_long_text_count_as_tokens_that_wait(idle_rig: Rig) -> None:
    rig = idle_rig
    rig.store.options, rig.store.chunks = Options(long="mean"), {Ticket("a", 0): [LONG, "5"]}
    message = in_thread(lambda: rig.handler.handle(list(rig.store.chunks)))
    until(lambda: rig.held_tokens() == sum(map(len, PIECES)) + 3)
    rig.handler.drop(lambda _: True)
    message.join(PATIENCE_S)
    assert rig.held_tokens() == 0


def test_windows_that_were_computed_before_are_not_again(rig: Rig) -> None:
    rig.store.options = Options(scores=True, long="max")
    rig.store.chunks = {Ticket("a", 0): [LONG], Ticket("b", 0): [LONG + " 77"], Ticket("c", 0): [LONG]}
    for ticket in list(rig.store.chunks):
        rig.handler.handle([ticket])
    assert [len(batch) for batch in rig.loaded.batches] == [3, 1]
    assert rig.store.results[Ticket("a", 0)] == rig.store.results[Ticket("c", 0)]


@pytest.mark.parametrize("place", [0, 25, 40])
def test_a_long_text_on_whose_window_the_model_fails_has_one_error(rig: Rig, place: int) -> None:
    rig.store.options = Options(long="mean")
    words = LONG.split()
    words[place if place < 40 else -1] = str(POISON)
    rig.store.chunks = {Ticket("a", 0): ["5", " ".join(words), "6"]}

    rig.handler.handle(list(rig.store.chunks))

    answers = json.loads(rig.store.results[Ticket("a", 0)])["predictions"]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, "text-failed", None]
    assert rig.held_tokens() == 0


def test_no_more_windows_are_computed_than_may_be(rig: Rig) -> None:
    rig.handler._max_windows = 2
    rig.store.options, rig.store.chunks = Options(long="mean"), {Ticket("a", 0): [LONG]}
    rig.handler.handle(list(rig.store.chunks))
    assert [len(batch) for batch in rig.loaded.batches] == [2]


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
