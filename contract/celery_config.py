"""Celery's configuration, the same for the sender (api) and the consumer (worker).

Why each value: docs/architecture.md, "Celery on Redis".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from redis.connection import parse_url

from contract.redis_address import RedisAddress
from contract.settings import SharedSettings

SENTINEL_S = 1.0
"""A Sentinel that has not answered by then is passed over."""


def _broker(settings: SharedSettings) -> dict[str, Any]:
    """Where the broker is, as kombu wants to be told."""
    address = settings.redis_address
    if not address.sentinels:
        return {"broker_url": address.url}
    found: dict[str, Any] = {"broker_url": _sentinel_urls(address)}
    if address.is_encrypted:
        found["broker_use_ssl"] = {"ssl_cert_reqs": "required", **_tls_options(address)}
    return found


def _sentinel_urls(address: RedisAddress) -> str:
    """One URL for each Sentinel, all with the user, the password and the database of Redis."""
    parts = urlsplit(address.url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return ";".join(
        f"sentinel://{credentials}{at}{_in_url(host)}:{port}{parts.path}" for host, port in address.sentinels
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _named_by_sentinels(settings: SharedSettings) -> dict[str, Any]:
    address = settings.redis_address
    if not address.sentinels:
        return {}
    return {"master_name": address.service, "sentinel_kwargs": sentinel_options(settings)}


def sentinel_options(settings: SharedSettings) -> dict[str, Any]:
    """How clients of the Sentinels are made."""
    address, password = settings.redis_address, settings.redis_sentinel_password
    speaks_tls = address.is_encrypted if settings.redis_sentinel_tls is None else settings.redis_sentinel_tls
    return {
        "socket_timeout": SENTINEL_S,
        "socket_connect_timeout": SENTINEL_S,
        "username": settings.redis_sentinel_user,
        "password": password.get_secret_value() if password else None,
        **({"ssl": True, **_tls_options(address)} if speaks_tls else {}),
    }


def _tls_options(address: RedisAddress) -> dict[str, Any]:
    """What the query of the URL says about certificates."""
    return {name: value for name, value in parse_url(address.url).items() if name.startswith("ssl_")}  # type: ignore[no-untyped-call]


def celery_config(settings: SharedSettings) -> dict[str, Any]:
    """Celery's settings."""
    return {
        **_broker(settings),
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
            **_named_by_sentinels(settings),
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
