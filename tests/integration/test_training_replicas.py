from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.base_models import write_hugging_face


@pytest.mark.timeout(300)
def test_two_replicas_learn_what_one_does(tmp_path: Path) -> None:
    base = write_hugging_face(tmp_path / "base")

    command = [sys.executable, "-m", "tests.train_on_replicas", str(base), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    one, two = [json.loads(line) for line in done.stdout.splitlines()[-2:]]
    assert len(one) == 7
    assert two == pytest.approx(one, abs=2e-4)
