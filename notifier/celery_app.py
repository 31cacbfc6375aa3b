"""The Celery side of the notifier: one task, one queue, a pool of threads that wait for receivers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, bootsteps
from celery.bin.celery import celery as command_line
from kombu.exceptions import OperationalError

from contract.celery_config import celery_config
from contract.errors import StoreUnavailable
from contract.webhooks import QUEUE, TASK
from notifier.settings import NotifierSettings


def create_app(settings: NotifierSettings, attempt: Callable[[str], float | None]) -> Celery:
    """The app of this process. `attempt` is given a job's id and returns after how many seconds to be called again."""
    app = Celery("retort")
    app.conf.update(celery_config(settings))
    app.steps["consumer"].add(_LeaveMessages)

    @app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]
    def notify(task: Any, job_id: str) -> None:
        pause_s = attempt(job_id)
        if pause_s is not None:
            raise task.retry(countdown=pause_s, queue=QUEUE)

    return app


class _LeaveMessages(bootsteps.StartStopStep):  # type: ignore[misc]
    """Puts no message back whose connection breaks or whose notifier ends: a sweep knows better which are missing."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        parent.task_consumer.channel.qos.restore_at_shutdown = False


def run(app: Celery, settings: NotifierSettings) -> int:
    """Run `celery worker` until a signal ends it; its exit status."""
    command_line.params[0].default = app
    arguments = ["--quiet", "worker", "--pool=threads", f"--concurrency={settings.webhook_connections}",
                 f"--queues={QUEUE}", f"--loglevel={settings.log_level}",
                 "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
    return int(command_line.main(args=arguments, standalone_mode=False) or 0)


def send(app: Celery, jobs: Sequence[str]) -> None:
    """Send the messages that have the webhooks of these jobs delivered. Raises StoreUnavailable."""
    for job_id in jobs:
        try:
            app.send_task(TASK, args=[job_id], queue=QUEUE, ignore_result=True)
        except (OperationalError, AttributeError) as error:
            # kombu's channel, when an error has closed it under its user, lacks attributes.
            raise StoreUnavailable(f"Redis: {error}") from error
