"""A worker's engine gives the held-out texts of trained versions what training scored."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.forks import ForkedProcess
from training.artifact import held_out

PATIENCE_S = 120.0


def check_served(*versions: Path, atol: float) -> None:
    """In a process of its own: serving and training set TensorFlow up differently. Loading proves the golden texts."""
    with tempfile.TemporaryDirectory() as folder:
        answers, log = Path(folder) / "answers", Path(folder) / "log"
        engine = ForkedProcess([sys.executable, "-m", "tests.predict_as_worker", answers, *versions], log)
        engine.start()
        assert engine.wait(PATIENCE_S) == 0, engine.last_lines()
        served = np.array([line.split() for line in answers.read_text().splitlines()], np.float64)
    expected = [answer.probabilities for version in versions for answer in held_out.read(version)]
    np.testing.assert_allclose(served, expected, atol=atol)
