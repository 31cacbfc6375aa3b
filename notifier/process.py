"""The one place that wires a notifier process together."""

from __future__ import annotations

import logging
import os

from prometheus_client import start_http_server

from contract.api_keys import Keys
from contract.loop import Loop
from contract.redis_client import connect
from contract.webhooks import WebhookLedger
from notifier import celery_app
from notifier.addresses import Resolver
from notifier.delivery import WebhookDelivery
from notifier.metrics import SWEPT
from notifier.post import post
from notifier.settings import NotifierSettings

log = logging.getLogger(__name__)
EXIT_CODE = 70  # EX_SOFTWARE
MOST_OVERDUE = 500


class NotifierProcess:
    """A notifier: Celery's hub and pool, and the sweep for what was lost. Raises BadSettings."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._ledger = WebhookLedger(connect(settings), settings)
        delivery = WebhookDelivery(
            ledger=self._ledger,
            keys=Keys(settings.api_keys_file) if settings.api_keys_file else None,
            resolver=Resolver(settings.webhook_connections),
            post=post,
            settings=settings,
            hosts=settings.webhooks_allowed,
        )
        self._app = celery_app.create_app(settings, delivery.attempt)
        self._sweep = Loop("sweep", self.sweep, pause_s=settings.sweep_s, on_death=_end)

    def run(self) -> int:
        """Deliver until SIGTERM, finish what is under way; the exit status."""
        if self._settings.metrics_port:
            start_http_server(self._settings.metrics_port, self._settings.metrics_bind)
        self._sweep.start()
        try:
            return celery_app.run(self._app, self._settings)
        finally:
            self._sweep.stop()

    def sweep(self) -> None:
        """Send the messages again of what is overdue: of a notifier that was killed, or after long pauses."""
        overdue = self._ledger.overdue(MOST_OVERDUE)
        if overdue:
            log.info("%d webhooks are overdue, a message is sent for each", len(overdue))
            SWEPT.inc(len(overdue))
            celery_app.send(self._app, overdue)


def _end() -> None:
    """End this process without waiting for any of its threads: its process manager starts another."""
    log.critical("this notifier ends itself, for its sweeps have ended")
    logging.shutdown()
    os._exit(EXIT_CODE)
