"""Load on a service's `POST /predict`: closed loop (as fast as it answers) and open loop (Poisson arrivals)."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Texts = Sequence[str]


@dataclass(frozen=True)
class Answer:
    """What came of one request; times in seconds."""

    status: int
    latency_s: float
    """From the intended moment of sending to the last byte of the answer."""
    texts: int
    body: Any = None


@dataclass
class Outcome:
    """What came of many requests."""

    wall_s: float
    answers: list[Answer] = field(default_factory=list)

    def texts_per_s(self) -> float:
        """Texts of requests that were answered in full, over the whole time."""
        return sum(answer.texts for answer in self.answers if answer.status == 200) / self.wall_s

    def latencies_s(self) -> list[float]:
        return sorted(answer.latency_s for answer in self.answers if answer.status == 200)

    def count(self, status: int) -> int:
        return sum(answer.status == status for answer in self.answers)


def batches(texts: Texts, size: int) -> list[Texts]:
    """Requests of `size` texts each."""
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def closed_loop(
    url: str,
    requests: Sequence[Texts],
    connections: int,
    wait_s: int = 60,
    connect: Callable[[str, int], Connection] | None = None,
) -> Outcome:
    """Send all requests over so many connections, each sending its next one when the last is answered."""
    waiting = iter(requests)
    lock = threading.Lock()
    answers: list[Answer] = []

    def client() -> None:
        with closing((connect or Connection)(url, wait_s)) as connection:
            while (texts := _next(waiting, lock)) is not None:
                answers.append(connection.predict(texts, time.perf_counter()))

    started = time.perf_counter()
    _in_threads(client, connections)
    return Outcome(time.perf_counter() - started, answers)


def open_loop(url: str, texts: Texts, rate: float, seconds: float, connections: int, seed: int = 0) -> Outcome:
    """Single-text requests at random moments, `rate` a second on average, whether or not earlier ones are answered.

    Latency counts from the moment at which a request was due, so that a stalled service can't hide its queue.
    `connections` is how many can be open at once; only as many are opened as are needed.
    """
    rng = random.Random(seed)
    mine = threading.local()
    opened: list[Connection] = []

    def connect() -> None:
        mine.connection = Connection(url, wait_s=30)
        opened.append(mine.connection)

    def ask(texts: Texts, due: float) -> Answer:
        answer: Answer = mine.connection.predict(texts, due)
        return answer

    with ThreadPoolExecutor(connections, initializer=connect) as pool:
        asked: list[Future[Answer]] = []
        started = moment = time.perf_counter()
        while (moment := moment + rng.expovariate(rate)) < started + seconds:
            time.sleep(max(0.0, moment - time.perf_counter()))
            asked.append(pool.submit(ask, [rng.choice(texts)], moment))
    wall_s = time.perf_counter() - started
    for connection in opened:
        connection.close()
    return Outcome(wall_s, [each.result() for each in asked])


class Connection:
    """One kept-alive connection."""

    path = "/predict"

    def __init__(self, url: str, wait_s: int = 60) -> None:
        parts = urlsplit(url)
        self._http = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=wait_s + 30)
        self._headers = {"Content-Type": "application/json", "Prefer": f"wait={wait_s}"}

    def close(self) -> None:
        self._http.close()

    def question(self, texts: Texts) -> dict[str, Any]:
        """What the body of a request says."""
        return {"texts": list(texts)}

    def predict(self, texts: Texts, due: float) -> Answer:
        self._http.request("POST", self.path, json.dumps(self.question(texts)), self._headers)
        response = self._http.getresponse()
        body = response.read()
        return Answer(response.status, time.perf_counter() - due, len(texts), body)


def _next(waiting: Iterator[Texts], lock: threading.Lock) -> Texts | None:
    with lock:
        return next(waiting, None)


def _in_threads(work: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
