"""The shortest way to an answer: .venv/bin/python examples/quickstart.py"""

import os

from retort_client import Client, TextError

TEXTS = ["how do I undo my last commit", "center a div inside another div", ""]

with Client(os.environ.get("RETORT_URL", "http://127.0.0.1:8000")) as client:
    for text, answer in zip(TEXTS, client.predict(TEXTS), strict=True):
        if isinstance(answer, TextError):
            print(f"{text!r}: no label, {answer.detail}")
        else:
            print(f"{text!r}: {answer.label}, {answer.score:.0%} sure")
