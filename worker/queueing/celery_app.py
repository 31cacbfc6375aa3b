"""The Celery side of the worker: one task, two lanes of each model, a threads pool that waits for the device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from celery import Celery, bootsteps
from celery.bin.celery import celery as command_line
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError

from contract.celery_config import celery_config
from contract.chunk_store import Resend
from contract.errors import StoreUnavailable
from contract.message import TASK, Lane, NewerMessage, Ticket, pack, queue_name, unpack
from contract.quarantine import Quarantine
from contract.unreadable import Unreadable
from worker.queueing import channel
from worker.queueing.channel import UnwantedMessage
from worker.queueing.flow_control import READ_S
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)
RECONNECT_S = 1.0
TRANSPORT = "worker.queueing.channel:Transport"
SENTINEL_TRANSPORT = "worker.queueing.channel:SentinelTransport"
TICKETS_PER_MESSAGE = 16


class ConstantRetryConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, but it tries every second to reach Redis, not after 2, 4, 6 and at last 30 seconds.

    What it can't read goes where the channel sends everything that is damaged.
    """

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002
        raise UnwantedMessage(f"{type(exc).__name__}: {exc}")

    def on_unknown_message(self, body: object, message: Any) -> None:  # noqa: ARG002
        raise UnwantedMessage("no message of Celery's")

    def on_unknown_task(self, body: object, message: Any, exc: Exception) -> None:  # noqa: ARG002
        raise UnwantedMessage(f"no such task: {exc}")

    def on_invalid_task(self, body: object, message: Any, exc: Exception) -> None:  # noqa: ARG002
        raise UnwantedMessage(f"{type(exc).__name__}: {exc}")

    def ensure_connected(self, conn: Any) -> Any:
        def say(error: Exception, pause_s: float) -> None:
            log.warning("no messages, trying again in %.0f s: %s", pause_s, error)

        connected = conn.ensure_connection(
            say, interval_start=RECONNECT_S, interval_step=0, interval_max=RECONNECT_S, callback=state.maybe_shutdown
        )
        self.first_connection_attempt = False
        return connected


def create_app(
    settings: WorkerSettings,
    *,
    process: Callable[[Sequence[Ticket]], None],
    models: Callable[[], Sequence[str]],
    hub_moved: Callable[[], None],
    on_hub: Callable[[Any], None],
    quarantine: Quarantine,
    unreadable: Unreadable,
) -> Celery:
    """The app of this process. `process` runs on a thread of the pool and returns when the message may be forgotten.

    `models` names those whose queues are read, of which more may come. `hub_moved` is called every second by Celery's
    event loop, `on_hub` with the loop whenever a connection is made.
    """
    app = Celery("retort")
    transport = SENTINEL_TRANSPORT if settings.redis_address.sentinels else TRANSPORT
    app.conf.update(celery_config(settings), worker_consumer=ConstantRetryConsumer, broker_transport=transport)
    channel.on_damaged_message(lambda queue, message, error: quarantine.note("message", queue, error, message))
    app.conf.broker_transport_options |= {
        "queue_order_strategy": "worker.queueing.flow_control:LaneOrder",
        "polling_interval": READ_S,
    }

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def predict(*arguments: Any, **named: Any) -> None:
        try:
            tickets = unpack(*arguments, **named)
        except NewerMessage as error:
            # Its tickets are sent again, as messages that this release's sweeps write.
            unreadable.skip("message", "newer", error)
        except (ValueError, TypeError) as error:
            quarantine.note("message", "without tickets", error, repr(arguments))
        else:
            process(tickets)

    app.steps["consumer"].add(_hub_step(models, hub_moved, on_hub))
    return app


def _hub_step(
    models: Callable[[], Sequence[str]], hub_moved: Callable[[], None], on_hub: Callable[[Any], None]
) -> type[bootsteps.StartStopStep]:
    """What Celery's event loop does beside reading messages; see create_app."""

    class HubStep(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            self.messages = parent.task_consumer.channel.qos
            self.messages.restore_at_shutdown = False
            on_hub(parent.hub)
            self.tick(parent)
            parent.timer.call_repeatedly(1.0, self.tick, (parent,))

        def tick(self, parent: Any) -> None:
            hub_moved()
            for name in queue_names(models()):
                if not parent.task_consumer.consuming_from(name):
                    parent.add_task_queue(name)

        def stop(self, _: Any) -> None:
            # Only a worker that ends puts the messages in hand back. When the connection breaks, they are worked on.
            self.messages.restore_at_shutdown = state.should_stop is not None

    return HubStep


def run(app: Celery, settings: WorkerSettings) -> int:
    """Run `celery worker` until a signal ends it; its exit status, which is 0 only after a signal to stop.

    `Celery.worker_main` forgets the status.
    """
    command_line.params[0].default = app
    return int(command_line.main(args=_worker_arguments(settings), standalone_mode=False) or 0)


def _worker_arguments(settings: WorkerSettings) -> list[str]:
    queues = ",".join(queue_names([settings.default_model]))
    return [
        "--quiet",
        "worker",
        "--pool=threads",
        f"--concurrency={settings.messages}",
        f"--queues={queues}",
        f"--loglevel={settings.log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]


def queue_names(models: Iterable[str]) -> list[str]:
    """The queues of all lanes of these models."""
    return [queue_name(model, lane) for model in models for lane in Lane]


def send(app: Celery, resends: Sequence[Resend]) -> None:
    """Send tickets to their queues, few messages for many small chunks, one for each bulk chunk.

    Raises StoreUnavailable; the tickets that were not sent are found by a later sweep.
    """
    by_queue = sorted(resends, key=lambda resend: (resend.model, resend.lane))
    for (model, lane), group in groupby(by_queue, key=lambda resend: (resend.model, resend.lane)):
        tickets = [resend.ticket for resend in group]
        size = TICKETS_PER_MESSAGE if lane is Lane.INTERACTIVE else 1
        for start in range(0, len(tickets), size):
            message = pack(tickets[start : start + size])
            try:
                app.send_task(TASK, args=[message], queue=queue_name(model, lane), ignore_result=True)
            except (OperationalError, AttributeError) as error:
                # kombu's channel, when an error has closed it under its user, lacks attributes.
                raise StoreUnavailable(f"Redis: {error}") from error
