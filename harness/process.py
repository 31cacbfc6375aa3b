"""A process that tests kill, stop and start again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

from harness.guardian import guardian

ROOT = Path(__file__).parents[1]


class RunningProcess(Protocol):
    """As much of `subprocess.Popen` as is needed here."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class ServiceProcess:
    """A process with its children, as a process manager would see it. Its log is appended to the file `log`."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        folder: Path = ROOT,
    ) -> None:
        """`folder` is the one that it is started in, which is where Python finds the code."""
        self.log = log
        self._folder = folder
        self.environment = environment or {}
        self._arguments = arguments
        self._process: RunningProcess | None = None

    @property
    def pid(self) -> int:
        """Of the process that was started last. Raises RuntimeError when none was."""
        if self._process is None:
            raise RuntimeError(f"{self._arguments} was never started")
        return self._process.pid

    def start(self) -> None:
        self._process = self._start()
        guardian().watch(self._process.pid)

    def _start(self) -> RunningProcess:
        """Begin a process that leads a group of its own, so that it can be killed with its children."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._arguments,
                cwd=self._folder,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone. One that has ended is left in peace."""
        if not self.has_ended():
            os.kill(self.pid, number)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nothing answers."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the process and its children, as a crash of the host would; returns when the process is gone."""
        if self._process is None:
            return
        if self._process.returncode is None:  # the number of one that was waited for may be another's by now
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        guardian().forget(self.pid)

    def terminate(self, patience_s: float = 60.0) -> int:
        """SIGTERM, and the status that the process ends with."""
        self.send_signal(signal.SIGTERM)
        return self.wait(patience_s)

    def wait(self, patience_s: float) -> int:
        """The status that the process ends with. Raises subprocess.TimeoutExpired when it does not end in time."""
        if self._process is None:
            raise RuntimeError(f"{self._arguments} was never started")
        status = self._process.wait(patience_s)
        guardian().forget(self.pid)
        return status

    def has_ended(self) -> bool:
        if self._process is None or self._process.poll() is None:
            return False
        guardian().forget(self.pid)
        return True

    def cpu_seconds(self) -> float:
        """CPU time that the process and its children have used so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def resident_mb(self) -> float:
        """Memory of the process and its children, in MiB."""
        return sum(each.memory_info().rss for each in self._family()) / 2**20

    def last_lines(self, count: int = 30) -> str:
        """The end of what it has written."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def _family(self) -> list[psutil.Process]:
        process = psutil.Process(self.pid)
        return [process, *process.children(recursive=True)]
