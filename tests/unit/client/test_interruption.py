"""A Ctrl-C ends a run, also one that a library swallows."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from retort_client.cli.interruption import Interruption


def test_an_interrupt_that_is_swallowed_is_raised_again_at_the_next_check() -> None:
    with Interruption() as interruption:
        interruption.check()
        with suppress(KeyboardInterrupt):  # as a destructor does
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_afterwards_the_signal_does_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
