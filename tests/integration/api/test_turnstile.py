"""A crowd of newcomers does not hold up who is under way, and each of them gets its turn."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.process import ROOT
from tests.newcomers import NEWCOMERS

pytestmark = pytest.mark.timeout(120)


def test_newcomers_begin_in_their_order_and_wait_for_what_is_under_way() -> None:
    command = [sys.executable, "-m", "gevent.monkey", "--module", "tests.newcomers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["order"] == list(range(NEWCOMERS))
    assert found["before"] <= found["let_in_by_time"] + 2
