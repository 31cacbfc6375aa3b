"""Redis, worker, API and notifier on this machine, under supervisord: start, look, stop.

All that it writes lies in `run/`, or where the variable RUN says, relative to the repository's root: every command runs
there, for the path of a socket must be short (107 bytes).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import ServerProxy

from pydantic import BaseModel
from supervisor.xmlrpc import SupervisorTransport

from contract.selection import EVERY
from local import redis_server
from local.ports import free_port

ROOT = Path(__file__).parents[1]
RUN = Path(os.environ.get("RUN", "run"))
LOGS = RUN / "logs"
SOCKET = RUN / "supervisor.sock"
STOP_TIMEOUT_S = 120
ALLOW_WEBHOOKS = ("RETORT_WEBHOOK_HOSTS", "RETORT_WEBHOOK_PRIVATE_HOSTS")


class StackError(Exception):
    """What was asked for can't be done; the message says why and what would help."""


class Ports(BaseModel):
    """Where the running stack listens, on the loopback address. Lies in run/ports.json."""

    api: int
    redis: int
    probes: int | None = None
    """Where the API answers /health and /metrics alone; None of a stack that an older release started."""

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis}/0"


@dataclass(frozen=True)
class Process:
    """One supervised process, in supervisord's words."""

    name: str
    state: str
    pid: int
    description: str

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"


def running() -> Ports | None:
    """Where the stack listens, or None when it does not run."""
    try:
        _supervisor().getState()
    except OSError:
        return None
    return Ports.model_validate_json((RUN / "ports.json").read_bytes())


def start(port: int) -> Ports:
    """Start the stack with its API on `port`."""
    for folder in (LOGS, RUN / "redis"):
        folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(api=port, redis=free_port(), probes=free_port())
    variables = environment(ports)
    (RUN / "ports.json").write_text(ports.model_dump_json(), encoding="utf-8")
    supervisord = [sys.executable, "-m", "supervisor.supervisord", "--configuration", "local/supervisord.conf"]
    subprocess.run(supervisord, env=variables, check=True)
    return ports


def environment(ports: Ports) -> dict[str, str]:
    """What the services find in their environment, on top of what is there already.

    The address to listen on may be in it; the port is PORT's. Raises StackError when the two contradict each other.
    """
    address, _, port = os.environ.get("RETORT_API_BIND", f"127.0.0.1:{ports.api}").rpartition(":")
    if port != str(ports.api):
        raise StackError(f"RETORT_API_BIND says port {port}, PORT says {ports.api}; give both the same")
    return {
        "RETORT_MODEL": EVERY,
        **os.environ,
        "RUN": str(RUN),
        "PYTHON": sys.executable,
        "REDIS_SERVER": redis_server.executable(),
        "REDIS_PORT": str(ports.redis),
        "RETORT_REDIS_URL": ports.redis_url,
        "RETORT_API_BIND": f"{address}:{ports.api}",
        "RETORT_API_PROBES_BIND": f"127.0.0.1:{ports.probes}",
        "SENDS_WEBHOOKS": str(any(map(os.environ.get, ALLOW_WEBHOOKS))).lower(),
    }


def run_beside(ports: Ports | None, module: str, arguments: Sequence[str]) -> int:
    """Run a module of the service with the settings of the running stack, if one runs; its exit status."""
    command = [sys.executable, "-m", module, *arguments]
    found = {"RETORT_REDIS_URL": ports.redis_url} if ports else {}
    return subprocess.run(command, env=os.environ | found).returncode


def processes() -> list[Process]:
    """The supervised processes, in the order of their names."""
    found = cast("list[dict[str, Any]]", _supervisor().getAllProcessInfo())
    return [Process(one["name"], one["statename"], one["pid"], one["description"]) for one in found]


def stop() -> None:
    """Stop notifier and API, then the worker, then Redis, each when it has ended what it was at. Raises StackError."""
    _supervisor().shutdown()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while SOCKET.exists():
        if time.monotonic() > deadline:
            raise StackError(f"still running after {STOP_TIMEOUT_S} s; see {LOGS / 'supervisord.log'}")
        time.sleep(0.1)


def _supervisor() -> Any:
    transport = SupervisorTransport(serverurl=f"unix://{SOCKET}")
    return ServerProxy("http://127.0.0.1", transport=transport).supervisor
