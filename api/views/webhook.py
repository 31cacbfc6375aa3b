"""Whom a request wants told of its job's end."""

from __future__ import annotations

from flask import g

from api.context import AppContext
from api.http.problems import FieldError, Problem, invalid
from contract.api_keys import Key
from contract.job_record import NO_WEBHOOK, Webhook
from contract.webhook_hosts import ForbiddenWebhook


def wanted(asked: str | None, context: AppContext) -> Webhook:
    """The webhook that the request asks for, else its API key's own. Raises Problem for one that can't be sent.

    A key's own is the operator's, and no fault of the request: what is wrong with it is found by the notifier, which
    keeps it as a dead letter.
    """
    key: Key | None = g.api_key
    if asked is None:
        if key is None or key.webhook is None or not context.settings.webhooks_allowed:
            return NO_WEBHOOK
        return Webhook(key.webhook, key.name)
    allowed = context.settings.webhooks_allowed
    if not allowed:
        raise _refused("this service sends no webhooks; RETORT_WEBHOOK_HOSTS lists who gets some")
    if key is None or not key.webhook_secrets:
        raise _refused("needs an API key with `webhook_secrets` in the file of keys, which sign what is sent")
    try:
        allowed.target(asked)
    except ForbiddenWebhook as error:
        raise _refused(str(error)) from error
    return Webhook(asked, key.name)


def _refused(why: str) -> Problem:
    return invalid(FieldError("pointer", "/webhook", why))
