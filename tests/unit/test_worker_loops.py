"""A worker's thread that can't go on ends the process, with a code that is not 0."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from contract.errors import StoreUnavailable
from worker.loops import EXIT_CODE, is_exhausted

PROGRAM = """
import time
from worker.loops import worker_loop
def step():
    raise {fault}
worker_loop("heartbeat", step, retry_s=0.01).start()
time.sleep({seconds})
print("goes on")
"""


@pytest.mark.parametrize(
    ("fault", "ends"),
    [('OSError(24, "Too many open files")', True), ("SystemExit(0)", True), ('ValueError("junk")', False)],
    ids=["files", "exit", "junk"],
)
def test_a_loop_that_can_not_go_on_ends_the_process_and_any_other_error_does_not(fault: str, ends: bool) -> None:
    program = PROGRAM.format(fault=fault, seconds=60 if ends else 0.2)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == ((EXIT_CODE, "") if ends else (0, "goes on\n"))
    assert not ends or "heartbeat" in done.stderr


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_running_out_of_files_is_seen_through_the_errors_that_it_becomes(number: int) -> None:
    away = StoreUnavailable("Redis: away")
    away.__cause__ = ConnectionError("Error 24 connecting to Redis")
    away.__cause__.__context__ = OSError(number, "Too many open files")
    assert is_exhausted(away)


@pytest.mark.parametrize("error", [OSError(errno.ECONNREFUSED, "refused"), StoreUnavailable("away"), MemoryError()])
def test_what_may_pass_by_itself_is_no_exhaustion(error: Exception) -> None:
    assert not is_exhausted(error)
