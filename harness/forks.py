"""Processes forked from one that has imported TensorFlow, which is most of what a worker begins with.

For tests, which start dozens of workers. What measures or proves the start itself begins a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from harness.process import ServiceProcess
from harness.until import until

IMPORTED = "worker.process"


class ForkedProcess(ServiceProcess):
    """A `python -m MODULE ...` of this folder's code; its log and its signals are those of any process."""

    def _start(self) -> Forked:
        _, _, *arguments = map(str, self._arguments)
        return Forked(arguments, self.log, os.environ | self.environment, self._folder)


class Forked:
    """A module that runs as the main one of a process, which leads a group of its own."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path) -> None:
        given = (arguments, log, dict(environment), folder)
        # A daemon is one that does not outlive this process.
        self._process = _server().Process(target=_run, args=given, daemon=True)
        self._process.start()
        if self._process.pid is None:
            raise RuntimeError(f"{arguments[0]} was not started")
        self.pid = self._process.pid
        until(lambda: self.returncode is not None or self._leads(), 20, what=arguments[0], pause_s=0.001)

    @property
    def returncode(self) -> int | None:
        """As of `subprocess.Popen`, of which it is known only after it was asked for."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The status it ends with. Raises subprocess.TimeoutExpired when it does not end in time."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self._process.exitcode

    def _leads(self) -> bool:
        with suppress(ProcessLookupError):
            return os.getpgid(self.pid) == self.pid
        return False


@cache
def _server() -> ForkServerContext:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([IMPORTED])
    return server


def _run(arguments: Sequence[str], log: Path, environment: dict[str, str], folder: Path) -> None:
    os.setsid()
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
