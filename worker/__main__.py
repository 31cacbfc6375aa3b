"""`python -m worker`: one worker process, which holds one device."""

from __future__ import annotations

import sys

from contract.errors import BadSettings
from worker import logs
from worker.engine import device
from worker.settings import WorkerSettings


def main() -> int:
    try:
        settings = WorkerSettings.load()
        claim = device.claim(settings.claims_dir, settings.device)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 78  # EX_CONFIG
    logs.configure(settings.log_level)
    device.show_to_tensorflow(claim)
    from worker.process import WorkerProcess  # imports TensorFlow, which must see only the claimed device

    return WorkerProcess(settings, claim).run()


if __name__ == "__main__":
    sys.exit(main())
