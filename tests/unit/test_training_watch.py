"""What a run shows while it learns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from training.fit.checkpoint import Epoch
from training.fit.progress import Pace, ProgressLines, Step, progress


def _step(number: int, *, loss: float = 1.0, length: int = 16, seconds: float = 0.5) -> Step:
    return Step(number=number, steps=100, loss=loss, learning_rate=1e-4, texts=32, length=length, seconds=seconds)


def test_the_step_that_compiles_says_nothing_about_the_pace() -> None:
    pace = Pace()

    pace.add(_step(0, seconds=30))
    assert not pace.known

    pace.add(_step(1))
    pace.add(_step(2, length=32, seconds=30))
    pace.add(_step(3))
    assert pace.seconds_per_step == pytest.approx(0.5)
    assert pace.texts_per_second == pytest.approx(64)


def test_the_loss_is_smoothed_over_all_steps() -> None:
    pace = Pace()
    for number, loss in enumerate([4.0, 2.0]):
        pace.add(_step(number, loss=loss))

    assert pace.loss == pytest.approx((0.95 * 4 + 2) / 1.95)


def test_a_log_gets_a_line_every_so_often_with_loss_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProgressLines, "EVERY_S", 0.0)
    shown = io.StringIO()

    with progress(Console(file=shown, width=120)) as watcher:
        watcher.step(_step(0, seconds=30))
        watcher.step(_step(1))
        watcher.epoch(Epoch(epoch=0, train_loss=1.0, validation_loss=0.5, validation_accuracy=0.75))

    assert shown.getvalue().splitlines() == [
        "step 2/100, loss 1.000, 64 texts/s, at most 0:00:49 left",
        "epoch 1: training loss 1.000, validation loss 0.500, validation accuracy 0.750",
    ]


def test_a_terminal_gets_a_bar() -> None:
    shown = io.StringIO()

    with progress(Console(file=shown, force_terminal=True, width=120)) as watcher:
        for number in range(100):
            watcher.step(_step(number))

    assert "100/100" in shown.getvalue()
    assert "loss 1.000, 64 texts/s" in shown.getvalue()
