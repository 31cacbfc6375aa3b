"""`python -m benchmarks.chaos.nursery`: forks workers, so that a killed one is back soon.

A worker takes seconds to import TensorFlow; a run with hundreds of kills would have hardly a worker. This process
imports, but starts nothing of TensorFlow, and each line on its standard input, the name of a log, makes it fork a child
that is an ordinary worker from there on. It answers each line with the child's process id.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import celery.bin.worker
import celery.concurrency.thread  # noqa: F401
import kombu.transport.redis  # noqa: F401

import worker.process  # noqa: F401  what takes seconds
from worker.__main__ import main


def serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for log in sys.stdin:
        if (child := os.fork()) == 0:
            _be_a_worker(log.strip())
        print(child, flush=True)


def _be_a_worker(log: str) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in ((0, nothing), (1, target), (2, target)):
        os.dup2(source, descriptor)
    sys.argv = ["worker"]
    sys.exit(main())


if __name__ == "__main__":
    serve()
