"""Ends what a test or a benchmark has started and did not live to end, in whatever way it died itself.

`python harness/guardian.py` is the process that waits for that: it reads `+GROUP` and `-GROUP` on its standard input,
and when that ends kills the process groups that are left.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from threading import Lock


class Guardian:
    """The side of whoever starts processes. Its end of the pipe closes when this process ends, however it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-S", __file__],
            stdin=subprocess.PIPE,
            start_new_session=True,  # so that what ends this process spares the guardian
            text=True,
        )
        atexit.register(self._process.communicate)

    def watch(self, group: int) -> None:
        """Kill this process group when this process has ended."""
        self._say(f"+{group}")

    def forget(self, group: int) -> None:
        """The process group has ended; its number may be another's soon."""
        self._say(f"-{group}")

    def _say(self, line: str) -> None:
        with self._lock:
            print(line, file=self._process.stdin, flush=True)


@cache
def guardian() -> Guardian:
    """This process's guardian."""
    return Guardian()


def _wait_and_kill() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _wait_and_kill()
