"""Clients that retry as the API's documentation says, and keep a note of every job that was accepted."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from harness.truth import is_right, scores, some_texts

Verdict = Literal["right", "wrong", "lost", "stuck"]
POOL = some_texts(2000)
SIZES = ((1, 1, 60), (2, 16, 30), (17, 64, 9), (257, 400, 1))
"""Least and most texts of a job, and how many of a hundred jobs are so."""
WAIT_S = 10
PATIENCE_S = 120.0
"""A job that has not ended by then is stuck."""
RETRY_S = 0.5
GONE = 410
TOLERANCE = 2e-4


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job as its client saw it. Times are Unix seconds; a job that never ended has ended at infinity."""

    id: str
    texts: int
    asked: float
    """When the client first asked."""
    answered: float
    """When it had the answer."""
    created: float
    ended: float
    verdict: Verdict
    detail: str = ""


class Clients:
    """So many clients, each with one request at a time."""

    def __init__(self, url: str, number: int, seed: int, seeds: Sequence[int] = (0,), pause_s: float = 0.0) -> None:
        """`seeds` are those of the model versions that may answer; `pause_s` is a client's mean pause."""
        for text in POOL:
            for model in seeds:
                scores(text, model)
        self.jobs: list[Job] = []
        self.failures: list[str] = []
        """Answers that no client can retry."""
        self.retries = 0
        """Times that a client was told, or had, to try again."""
        self._stop = threading.Event()
        self._asking: set[int] = set()
        arguments = [(url, random.Random(f"{seed}/{n}"), seeds, pause_s) for n in range(number)]
        self._threads = [threading.Thread(target=self._run, args=each, daemon=True) for each in arguments]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Return when every client has its last answer, or has lost its patience."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def in_flight(self) -> int:
        return len(self._asking)

    def _run(self, url: str, rng: random.Random, seeds: Sequence[int], pause_s: float) -> None:
        client = _Client(url, self)
        while not self._stop.is_set():
            if pause_s:
                self._stop.wait(rng.expovariate(1 / pause_s))
            texts = _draw(rng)
            self._asking.add(threading.get_ident())
            if (job := client.ask(texts, seeds)) is not None:
                self.jobs.append(job)
            self._asking.discard(threading.get_ident())


class _Client:
    """One connection, made anew whenever it breaks."""

    def __init__(self, url: str, notes: Clients) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=WAIT_S + 10)
        self._notes = notes

    def ask(self, texts: Sequence[str], seeds: Sequence[int]) -> Job | None:
        """The job, once it has ended; None when it was never accepted."""
        asked = time.time()
        body = json.dumps({"texts": texts, "scores": True})
        found = self._insist("POST", "/predict", body, {"Idempotency-Key": uuid.uuid4().hex}, asked)
        if found and found.get("status") == GONE:  # accepted, then lost, and asked for again under the same key
            return Job("", len(texts), asked, time.time(), asked, float("inf"), "lost", str(found))
        if found is None or "id" not in found:
            self._notes.failures.append(f"POST: {found}")
            return None
        while found["status"] in ("queued", "running"):
            job_id = found["id"]
            answer = self._insist("GET", f"/jobs/{job_id}", None, {}, asked)
            if answer is None or "id" not in answer:
                verdict: Verdict = "stuck" if answer is None else "lost"
                return Job(job_id, len(texts), asked, time.time(), asked, float("inf"), verdict, str(answer))
            found = answer
        return _judged(found, texts, seeds, asked)

    def _insist(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str], since: float
    ) -> dict[str, Any] | None:
        """The answer's document, tried for until it is no "try again later"; None when patience has run out."""
        given = {"Content-Type": "application/json", "Prefer": f"wait={WAIT_S}", **headers}
        while time.time() - since < PATIENCE_S:
            try:
                self._connection.request(method, path, body, given)
                response = self._connection.getresponse()
                content = response.read()
                if response.status not in (429, 503):
                    document: dict[str, Any] = json.loads(content)
                    return document
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self._connection.close()
            self._notes.retries += 1
            time.sleep(RETRY_S * (0.5 + random.random()))
        return None


def _draw(rng: random.Random) -> list[str]:
    least, most, _ = rng.choices(SIZES, [share for *_, share in SIZES])[0]
    return rng.choices(POOL, k=rng.randint(least, most))


def _judged(found: dict[str, Any], texts: Sequence[str], seeds: Sequence[int], asked: float) -> Job:
    created = datetime.fromisoformat(found["created"]).timestamp()
    verdict, detail = _verdict(found, texts, seeds)
    ended = created + (found["timing"]["total_s"] or 0.0)
    return Job(found["id"], len(texts), asked, time.time(), created, ended, verdict, detail)


def _verdict(found: dict[str, Any], texts: Sequence[str], seeds: Sequence[int]) -> tuple[Verdict, str]:
    if found["status"] != "succeeded":
        return "lost", json.dumps(found)[:500]
    answers = found["predictions"]
    if len(answers) != len(texts):
        return "wrong", f"{len(answers)} answers to {len(texts)} texts"
    for answer, text in zip(answers, texts, strict=True):
        if not any(is_right(answer, text, seed, TOLERANCE) for seed in seeds):
            return "wrong", f"{text!r}: {answer}"
    return "right", ""
