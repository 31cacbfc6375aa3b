"""A table in, a table out: .venv/bin/python examples/pandas_frame.py

Needs pandas and httpx.
"""

import os
from pathlib import Path

import pandas as pd

from retort_client import Client

questions = pd.read_csv(Path(__file__).with_name("questions.csv")).head(100)

with Client(os.environ.get("RETORT_URL", "http://127.0.0.1:8000")) as client:
    labelled = client.predict_frame(questions, column="post")

print(labelled[["post", "label", "score"]].head())
print(labelled.groupby("label").size().sort_values(ascending=False).head())
