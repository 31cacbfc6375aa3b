"""`python -m tests.mortal_worker`: a worker that a text can kill or hang, started again whenever it ends.

Everything is the real worker's, but that its model kills the process when KILLER is on the device, and never returns
when SLEEPER is. The parent imports TensorFlow once and forks, so that a new worker is there soon.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import worker.engine.model
from encoders.tokenization import Ids
from worker.__main__ import main
from worker.engine.model import Model, Probabilities
from worker.engine.packing import BatchPlan

KILLER, SLEEPER = "kill kill kill", "sleep sleep sleep"


class MortalModel(Model):
    def run(self, texts: Sequence[Ids], plan: BatchPlan) -> Probabilities:
        killer, sleeper = (encoded.ids.tobytes() for encoded in self.tokenizer.encode([KILLER, SLEEPER]))
        on_device = {texts[index].tobytes() for index in plan.texts}
        if killer in on_device:
            os.kill(os.getpid(), signal.SIGKILL)
        if sleeper in on_device:
            time.sleep(3600)
        return super().run(texts, plan)


def supervise() -> NoReturn:
    """Until SIGTERM."""
    while True:
        if (child := os.fork()) == 0:
            worker.engine.model.Model = MortalModel  # type: ignore[misc]
            sys.argv = ["worker"]
            sys.exit(main())
        signal.signal(signal.SIGTERM, partial(_end, child))
        os.waitpid(child, 0)


def _end(child: int, *_: object) -> NoReturn:
    os.kill(child, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    supervise()
