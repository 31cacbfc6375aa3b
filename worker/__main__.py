"""`python -m worker`: one worker process, which holds one device."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from contract.errors import BadSettings
from worker import logs
from worker.engine import device
from worker.engine.device import Claim, hand_over
from worker.settings import WorkerSettings

EX_CONFIG = 78


def main() -> int:
    try:
        settings = WorkerSettings.load()
        claim = device.claim(settings.claims_dir, settings.device)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    logs.configure(settings.log_level)
    device.show_to_tensorflow(claim)
    from worker.process import WorkerProcess  # imports TensorFlow, which must see only the claimed device

    try:
        process = WorkerProcess(settings, claim)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    status = process.run()
    if process.next_claim is not None and status == 0:
        start_again(process.next_claim)
    return status


def start_again(claim: Claim) -> NoReturn:
    """Become a fresh worker that holds this claim: TensorFlow can't leave the CPU for a GPU. The process id stays."""
    signal.alarm(0)
    hand_over(claim)
    os.execv(sys.executable, [sys.executable, "-m", "worker"])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
