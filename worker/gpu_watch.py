"""A worker that found every GPU taken works on the CPU, and looks for one that becomes free."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

from contract.loop import STOP_S
from worker.engine import device
from worker.engine.device import Claim
from worker.loops import worker_loop

log = logging.getLogger(__name__)
GPU_LOOK_S = 5.0


class GpuWatch:
    """Claims the first GPU that is free and drains this worker, which is then to be started again on it."""

    def __init__(self, claims_dir: Path) -> None:
        self._claims_dir = claims_dir
        self.claim: Claim | None = None
        """The GPU that this worker has claimed while it ran."""
        self._loop = worker_loop("await-gpu", self._look, pause_s=GPU_LOOK_S)

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Look no more; True when the thread ended within `timeout_s`."""
        return self._loop.stop(timeout_s)

    def _look(self) -> None:
        """The claim comes first: of all CPU workers that see the GPU, one goes."""
        if self.claim is not None:
            return
        self.claim = device.claim_gpu(self._claims_dir, device.list_gpus())
        if self.claim is not None:
            log.info("%s is free: this CPU worker drains, to start again on it", self.claim.name)
            signal.raise_signal(signal.SIGTERM)
