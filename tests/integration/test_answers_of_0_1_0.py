"""A version that 0.1.0 published gets the answers that 0.1.0 gave: recorded there, to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.recorded_answers import ARTIFACT, answers, service

RECORDED = ARTIFACT.parent / "answers_of_0.1.0.json"
SCORE = re.compile(r"0\.\d+")


def test_answers_are_the_bytes_that_0_1_0_gave(tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))

    with service(tmp_path) as running:
        found = answers(running.url)

    assert {name: SCORE.sub("SCORE", body) for name, body in found.items()} == {
        name: SCORE.sub("SCORE", body) for name, body in recorded.items()
    }
    for name, body in found.items():  # of a score the last digit may depend on who multiplies
        scores = [float(score) for score in SCORE.findall(body)]
        assert scores == pytest.approx([float(score) for score in SCORE.findall(recorded[name])], abs=2e-6)
        assert all(len(score) <= len("0.123456") for score in SCORE.findall(body))
