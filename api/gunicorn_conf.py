"""gunicorn's configuration: greenlets (gevent), so that a waiting client costs a few kilobytes and no thread."""

from __future__ import annotations

from api.settings import ApiSettings

_settings = ApiSettings.load()

bind = [_settings.api_bind]
workers = _settings.api_workers
worker_class = "gevent"
worker_connections = _settings.api_connections
# The worker patches the standard library before the application is imported; preloading would import it too early.
preload_app = False
# A worker that stops gets through the longest wait that a client can have asked for.
graceful_timeout = int(_settings.max_wait_s) + 10
timeout = 60
keepalive = 75
control_socket_disable = True
proc_name = "retort-api"
loglevel = "warning"
