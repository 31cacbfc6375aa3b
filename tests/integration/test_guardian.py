"""Nothing that a test started outlives it, however it dies."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.process import ROOT
from harness.until import until

START = """
import sys
import time
from pathlib import Path
from harness.process import ServiceProcess
script = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
process = ServiceProcess([sys.executable, "-c", script], Path(sys.argv[1]))
process.start()
print(process.pid, flush=True)
time.sleep(600)
"""
"""A process that starts another one with a child of its own, and never ends it."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_process_had_started_ends_with_its_children(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", START, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        started = psutil.Process(int(parent.stdout.readline()))
        family = [started, *until(started.children)]
        parent.send_signal(number)
    until(lambda: not any(is_running(each) for each in family), what="the end of what was started")


def is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
