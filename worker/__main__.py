"""`python -m worker`: one worker process, which holds one device."""

from __future__ import annotations

import sys

from contract.errors import BadSettings
from worker import logs
from worker.settings import WorkerSettings


def main() -> int:
    try:
        settings = WorkerSettings.load()
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 78  # EX_CONFIG
    logs.configure(settings.log_level)
    from worker.process import WorkerProcess  # TensorFlow takes seconds: not before the settings are known to be good

    WorkerProcess(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
