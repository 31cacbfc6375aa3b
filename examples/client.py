"""First requests from Python: .venv/bin/python examples/client.py

Needs the client, which is in .venv (elsewhere: pip install ./client), and a service: make demo.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from itertools import islice
from pathlib import Path

from retort_client import Client, Prediction, TextError

QUESTIONS = Path(__file__).with_name("questions.csv")


def ask_two(client: Client) -> None:
    """A short question is answered at once; what can't be predicted has an error in its place."""
    for answer in client.predict(["I wrote a loop that i cannot exit", ""], top_k=3):
        match answer:
            case TextError():
                print(f"no answer ({answer.code}): {answer.detail}")
            case Prediction():
                print(", ".join(f"{one.label} {one.score:.0%}" for one in answer.top))


def ask_many(client: Client, texts: list[str]) -> None:
    """A big job is handed in and read while it runs."""
    job = client.submit(texts)
    print(f"job {job.id}: {job.status.texts} texts")
    answers = job.results()
    print("the first three:", [answer.label for answer in islice(answers, 3) if isinstance(answer, Prediction)])
    counted = Counter(answer.label for answer in answers if isinstance(answer, Prediction))
    print("most frequent among the rest:", counted.most_common(3))
    print(f"took {job.refresh().total_s} s")


def main() -> None:
    with QUESTIONS.open(newline="", encoding="utf-8") as file:
        texts = [row["post"] for row in csv.DictReader(file)]
    with Client(os.environ.get("RETORT_URL", "http://127.0.0.1:8000")) as client:
        ask_two(client)
        ask_many(client, texts)


if __name__ == "__main__":
    main()
