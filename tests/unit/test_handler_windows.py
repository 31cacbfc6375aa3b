"""A long text is read in windows, each a text to the device, and answered once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from contract.message import Ticket
from contract.prediction import Options
from harness.until import until
from tests.stand_ins import POISON, echo, echo_logits, ids_of
from tests.unit.handler_rig import MAX_TOKENS, PATIENCE_S, Rig, in_thread, running

LONG = " ".join(map(str, range(3, 3 + 2 * MAX_TOKENS)))
PIECES = [ids_of(*ids) for ids in ((1, *range(3, 22)), range(22, 42), (42, 2))]
"""The windows of LONG, as the stand-in's tokenizer cuts it."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running(Rig()) as rig:
        yield rig


@pytest.fixture
def idle_rig() -> Iterator[Rig]:
    """One whose device never runs."""
    with running(Rig(), device=False) as rig:
        yield rig


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
