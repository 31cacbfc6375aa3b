"""Celery's configuration, the same for the sender (api) and the consumer (worker).

Why each value: docs/architecture.md, "Celery on Redis".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from contract.settings import SharedSettings


def broker_url(settings: SharedSettings) -> str:
    """The Redis URL with the password, when one is set apart from it."""
    if settings.redis_password is None:
        return settings.redis_url
    parts = urlsplit(settings.redis_url)
    address = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    secret = quote(settings.redis_password.get_secret_value(), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{secret}@{address}"))


def celery_config(settings: SharedSettings) -> dict[str, Any]:
    """Celery's settings."""
    return {
        "broker_url": broker_url(settings),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "broker_pool_limit": 16,
        "broker_transport_options": {
            # The leases in the job record say which message is being worked on, and the reconciler sends again what a
            # dead worker had: kombu's own notes of it cost two round trips a message, and fail when memory is full.
            "ack_emulation": False,
            "queue_order_strategy": "sorted",
            "priority_steps": [0],
            "socket_keepalive": True,
            "socket_connect_timeout": 2,
            "socket_timeout": 10,
            "health_check_interval": 10,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_default_delivery_mode": "persistent",
        "task_create_missing_queues": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }
