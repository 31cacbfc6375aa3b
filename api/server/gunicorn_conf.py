"""gunicorn's configuration: greenlets (gevent), so that a waiting client costs a few kilobytes and no thread."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from typing import Any

from api.settings import ApiSettings

_settings = ApiSettings.load()

# The worker serves each address by a pool of its own, so that clients who take all of one leave the probes theirs.
bind = [_settings.api_bind, *filter(None, [_settings.api_probes_bind])]
# Headers by which a proxy speaks for its clients, such as SCRIPT_NAME, count from the named proxies alone.
forwarded_allow_ips = _settings.forwarded_by
workers = _settings.api_workers
worker_class = "api.server.gunicorn_worker.ApiWorker"
worker_connections = _settings.api_connections
# The worker patches the standard library before the application is imported; preloading would import it too early.
preload_app = False
# A worker that stops gets through the longest wait that a client can have asked for.
graceful_timeout = int(_settings.max_wait_s) + 10
timeout = 60
keepalive = 75
control_socket_disable = True
proc_name = "retort-api"
logger_class = "api.server.logs.GunicornLogger"
loglevel = "warning"

# Each connection takes a file, and shells allow 1,024 of them at first.
_, _most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most_files, _most_files))

# The processes share their counters through files in this folder; prometheus_client reads the variable on import.
_metrics_folder = tempfile.mkdtemp(prefix="retort-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder


def child_exit(_server: Any, worker: Any) -> None:
    """Take a process that is gone out of the gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Delete the folder of the metrics."""
    shutil.rmtree(_metrics_folder, ignore_errors=True)
