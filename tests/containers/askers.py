"""Clients that go on asking while the service is broken, and keep every job that was accepted."""

from __future__ import annotations

import csv
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from retort_client import Answer, Client, Prediction, RetortError, TextError

QUESTIONS = Path(__file__).parents[2] / "examples" / "questions.csv"
TIMEOUT_S = 300
CLEAR = 0.6
"""Only texts of such a score are asked, for the label of others may hang on the batch that they are in."""
SIZES = (1, 16, 64, 300)


@dataclass
class Asked:
    """An accepted job; `answers` are None until it has them all."""

    id: str
    texts: list[str]
    answers: list[Answer] | None = None


@dataclass
class Askers:
    """So many clients in a `with` block, at whose end each waits for its last answer."""

    url: str
    number: int = 8
    api_key: str | None = None
    clear: float = CLEAR
    jobs: list[Asked] = field(default_factory=list)
    errors: list[RetortError] = field(default_factory=list)

    def __post_init__(self) -> None:
        with QUESTIONS.open(encoding="utf-8", newline="") as file:
            texts = [row["post"] for row in csv.DictReader(file)]
        self._client = Client(self.url, api_key=self.api_key, timeout_s=TIMEOUT_S, retries=TIMEOUT_S)
        answers = zip(texts, self._client.predict(texts), strict=True)
        self._truth = {text: _label(answer) for text, answer in answers if _score(answer) > self.clear}
        self._texts = list(self._truth)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(self.number)]

    def __enter__(self) -> Askers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def is_right(self, job: Asked) -> bool:
        """Whether it has the answers that its texts had before anything was broken, in their order."""
        return job.answers is not None and list(map(_label, job.answers)) == [self._truth[text] for text in job.texts]

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._over.is_set():
            texts = rng.sample(self._texts, rng.choices(SIZES, (60, 30, 9, 1))[0])
            try:
                job = self._client.submit(texts)
                self.jobs.append(asked := Asked(job.id, texts))
                asked.answers = list(job.results())
            except RetortError as error:
                self.errors.append(error)


def _label(answer: Answer) -> str:
    if isinstance(answer, TextError):
        return answer.code
    return answer.label if isinstance(answer, Prediction) else str([one.label for one in answer.labels])


def _score(answer: Answer) -> float:
    return answer.score if isinstance(answer, Prediction) else 0.0
