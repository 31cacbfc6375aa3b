"""One side of a comparison: a process of its own that is driven by lines, so that the sides can take turns.

The child prints a word about itself, then for each line of JSON on standard input, a list of texts, the seconds that
they took.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Self, cast


class Arm:
    """`python -m MODULE ARGUMENTS…`, as the one that measures sees it. Ends with its `with` block."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        code: Path | None = None,
        python: Path | None = None,
        pausing: bool = False,
    ) -> None:
        """`code` is the folder that the module is imported from, the current one unless given; `python` likewise.

        A `pausing` one is stopped while it is not its turn: some libraries' threads wait by spinning.
        """
        command = [str(python or sys.executable), "-m", module, *arguments]
        self._pausing = pausing
        self._process = subprocess.Popen(command, cwd=code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._input, self._output = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)

    def __enter__(self) -> Self:
        self.about = self._read().strip()
        """What the child says of itself."""
        self._rest()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def seconds(self, texts: Sequence[str]) -> float:
        """How long the texts take."""
        if self._pausing:
            self._process.send_signal(signal.SIGCONT)
        self._input.write(json.dumps(list(texts)) + "\n")
        self._input.flush()
        seconds = float(self._read())
        self._rest()
        return seconds

    def _rest(self) -> None:
        if self._pausing:
            self._process.send_signal(signal.SIGSTOP)

    def _read(self) -> str:
        line = self._output.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended")
        return line


def serve(work: Callable[[list[str]], object], about: str = "ready") -> None:
    """Be the child, until standard input ends."""
    print(about, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        started = time.perf_counter()
        work(texts)
        print(time.perf_counter() - started, flush=True)
