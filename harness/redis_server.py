"""A real Redis: the one on the PATH, else the one that came as a Python package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import redis

from harness.ports import free_port
from harness.process import ServiceProcess
from harness.until import until
from local.redis_server import executable

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""As it is run for the service: what it has answered is on the disk."""


class RedisServer(ServiceProcess):
    """A Redis process in a folder of its own, which keeps its append-only file over `kill` and `start`."""

    def __init__(self, folder: Path, *options: str, host: str = "127.0.0.1", command: Sequence[str] = ()) -> None:
        """`host` is the address it listens on; `command` begins the command that starts it there."""
        self.host, self.port = host, free_port()
        self.url = f"redis://{host}:{self.port}/0"
        command = [*command, executable(), "--port", str(self.port), "--bind", host, "--dir", str(folder), "--save", "",
                   "--daemonize", "no", "--protected-mode", "no", *options]  # fmt: skip
        super().__init__(command, folder / "redis.log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Return when it answers."""
        super().start()
        until(self._answers, 20, what="Redis")

    def _answers(self) -> bool:
        if self.has_ended():
            raise RuntimeError(f"Redis has ended:\n{self.last_lines()}")
        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.RedisError:
            return False
