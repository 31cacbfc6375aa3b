"""Newcomers at a turnstile, beside one who is under way: how many began before that one was done, as JSON.

To be run by `python -m gevent.monkey --module`.
"""

from __future__ import annotations

import json
import time

import gevent

from api.server.turnstile import LONGEST_S, Turnstile

NEWCOMERS = 200
STEPS = 40
STEP_S = 0.002


def work() -> None:
    """Keep the processor for as long as a step of a request does."""
    end = time.perf_counter() + STEP_S
    while time.perf_counter() < end:
        pass


def main() -> None:
    turnstile = Turnstile()
    turnstile.loop.start()
    began: list[int] = []

    def newcomer(number: int) -> None:
        turnstile.enter()
        began.append(number)
        work()

    crowd = [gevent.spawn(newcomer, number) for number in range(NEWCOMERS)]
    start = time.perf_counter()
    for _ in range(STEPS):
        gevent.sleep(0)
        work()
    before, took_s = len(began), time.perf_counter() - start
    gevent.joinall(crowd)
    print(json.dumps({"before": before, "let_in_by_time": took_s / LONGEST_S, "order": began}))


if __name__ == "__main__":
    main()
