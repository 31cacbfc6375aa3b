"""One attempt at one webhook: take it, sign it, send it, and say what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from contract.api_keys import Keys
from contract.webhook_hosts import ForbiddenWebhook, WebhookHosts, WebhookTarget
from contract.webhooks import Outcome, OwedWebhook, WebhookLedger
from notifier.addresses import Resolver
from notifier.deadline import AttemptFailed, Deadline
from notifier.metrics import ATTEMPT_SECONDS, ATTEMPTS, DELAY_SECONDS
from notifier.schedule import Schedule
from notifier.settings import NotifierSettings
from notifier.signature import headers

log = logging.getLogger(__name__)
MARGIN_S = 5.0
"""Beyond its time, an attempt is nobody's any more after so long."""
LONGEST_MESSAGE_S = 60.0
"""Celery keeps the message of a later attempt in a notifier's memory: for a minute, not for hours."""
GONE = 410

Post = Callable[[WebhookTarget, Sequence[str], Mapping[str, str], bytes, Deadline], int]


class WebhookDelivery:
    """Attempts webhooks, on the thread that calls it. Raises StoreUnavailable."""

    def __init__(
        self,
        *,
        ledger: WebhookLedger,
        keys: Keys | None,
        resolver: Resolver,
        post: Post,
        settings: NotifierSettings,
        hosts: WebhookHosts,
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._resolver = resolver
        self._post = post
        self._hosts = hosts
        self._timeout_s = settings.webhook_timeout_s
        self._most_of_key = settings.webhook_connections_of_key
        self._schedule = Schedule(settings.webhook_first_pause_s, settings.webhook_give_up_s)

    def attempt(self, job_id: str) -> float | None:
        """Try to deliver the webhook of this job if it is due; seconds until its message is wanted again, if it is."""
        webhook = self._ledger.take(job_id, lease_s=self._timeout_s + MARGIN_S, most_of_key=self._most_of_key)
        if webhook is None:
            return None
        started = time.monotonic()
        outcome, why = self._outcome(webhook)
        taken_s = time.monotonic() - started
        ATTEMPT_SECONDS.observe(taken_s)
        if outcome is Outcome.AGAIN:
            return self._again(webhook, why, taken_s)
        if outcome is Outcome.DELIVERED:
            DELAY_SECONDS.observe((webhook.taken_ms - webhook.finished_ms) / 1000 + taken_s)
        self._end(webhook, outcome, why)
        return None

    def _outcome(self, webhook: OwedWebhook) -> tuple[Outcome, str]:
        """What comes of sending it, and why it is not delivered."""
        try:
            status = self._send(webhook)
        except ForbiddenWebhook as error:
            return Outcome.DEAD, str(error)
        except AttemptFailed as error:
            return Outcome.AGAIN, str(error)
        except Exception as error:
            # Whatever one webhook does, it has an end.
            log.exception("webhook %s", webhook.id)
            return Outcome.AGAIN, f"the notifier failed: {type(error).__name__}"
        if 200 <= status <= 299:
            return Outcome.DELIVERED, ""
        if status == GONE:
            return Outcome.DISABLED, "its receiver wants no more of them (410)"
        return Outcome.AGAIN, f"its receiver answered {status}"

    def _send(self, webhook: OwedWebhook) -> int:
        """The status that the receiver answers. Raises ForbiddenWebhook and AttemptFailed."""
        deadline = Deadline(self._timeout_s)
        target = self._hosts.target(webhook.address)
        signed = headers(webhook.id, datetime.now(UTC), webhook.payload, self._secrets(webhook.signer))
        addresses = self._resolver.addresses(target, deadline)
        return self._post(target, addresses, signed, webhook.payload.encode(), deadline)

    def _secrets(self, signer: str) -> list[str]:
        key = self._keys.named(signer) if self._keys else None
        if key is None or not key.webhook_secrets:
            raise AttemptFailed(f"API key {signer!r} has no secrets to sign with")
        return [secret.get_secret_value() for secret in key.webhook_secrets]

    def _again(self, webhook: OwedWebhook, why: str, taken_s: float) -> float | None:
        age_s = (webhook.taken_ms - webhook.since_ms) / 1000 + taken_s
        pause_s = self._schedule.pause_s(webhook.attempt, age_s)
        if pause_s is None:
            self._end(webhook, Outcome.DEAD, f"given up after {webhook.attempt} attempts: {why}")
            return None
        ATTEMPTS.labels(Outcome.AGAIN).inc()
        has_message = pause_s <= LONGEST_MESSAGE_S
        self._ledger.postpone(webhook, why, pause_s, has_message=has_message)
        return pause_s if has_message else None

    def _end(self, webhook: OwedWebhook, outcome: Outcome, why: str) -> None:
        ATTEMPTS.labels(outcome).inc()
        self._ledger.settle(webhook, outcome, why)
        if why:
            log.warning("webhook %s is not sent: %s", webhook.id, why)
