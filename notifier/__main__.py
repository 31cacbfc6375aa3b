"""`python -m notifier`: one notifier process; any number of them share the work."""

from __future__ import annotations

import sys

from contract.errors import BadSettings
from notifier import logs
from notifier.process import NotifierProcess
from notifier.settings import NotifierSettings


def main() -> int:
    try:
        process = NotifierProcess(settings := NotifierSettings.load())
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 78  # EX_CONFIG
    logs.configure(settings.log_level)
    return process.run()


if __name__ == "__main__":
    sys.exit(main())
