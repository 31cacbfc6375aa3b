"""`python -m tests.noting_worker`: the Celery side of a worker, which notes the tickets that it was handed in Redis.

Without a model it is there in a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from contract.message import Lane, Ticket
from contract.quarantine import Quarantine
from contract.redis_client import connect
from contract.unreadable import Unreadable
from worker.queueing import celery_app
from worker.queueing.flow_control import flow
from worker.settings import WorkerSettings

HANDED = "handed"


def main() -> int:
    settings = WorkerSettings.load()
    client = connect(settings)

    def note(tickets: Sequence[Ticket]) -> None:
        client.rpush(HANDED, *map(str, tickets))

    flow.open(settings.default_model, dict.fromkeys(Lane, 1000))
    app = celery_app.create_app(
        settings,
        process=note,
        models=lambda: [settings.default_model],
        hub_moved=lambda: None,
        on_hub=lambda _: None,
        quarantine=Quarantine(client, settings),
        unreadable=Unreadable(),
    )
    return celery_app.run(app, settings)


if __name__ == "__main__":
    sys.exit(main())
