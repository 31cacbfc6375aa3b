"""What can't be read is counted every time and logged once a minute."""

from __future__ import annotations

from collections import Counter

import pytest

from contract.throttle import LogThrottle
from contract.unreadable import SHOWN, Unreadable


def test_all_are_counted_and_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    counted: Counter[str] = Counter()
    now = 0.0
    unreadable = Unreadable(lambda kind: counted.update([kind]), LogThrottle(60.0, lambda: now))
    for _ in range(100):
        unreadable.skip("heartbeat", "w1", ValueError("junk"))
    unreadable.skip("ticket", "w1", "of another schema")
    assert counted == {"heartbeat": 100, "ticket": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "a heartbeat is skipped, 'w1': ValueError: junk (0 times before)",
        "a ticket is skipped, 'w1': of another schema (0 times before)",
    ]
    now = 60.0
    unreadable.skip("heartbeat", "w1", ValueError("junk"))
    assert "(99 times before)" in caplog.records[-1].getMessage()


def test_a_long_reason_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    Unreadable().skip("push", "c" * 10_000, "x" * 10_000)
    assert len(caplog.records[0].getMessage()) < SHOWN + 200
