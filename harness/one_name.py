"""A primary and its replica behind one name, as a managed service has them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import redis

from harness.link import Link
from harness.redis_server import DURABLE, RedisServer
from harness.until import until


class OneName:
    """Started when it is made, killed on exit. `url` is what the service is given."""

    def __init__(self, folder: Path) -> None:
        self.servers = [RedisServer(folder / str(number), *DURABLE) for number in range(2)]
        for number, server in enumerate(self.servers):
            (folder / str(number)).mkdir(parents=True)
            server.start()
        self.link = Link(self.servers[0].port)
        self.url = f"redis://127.0.0.1:{self.link.port}/0"
        self._follow(1, 0)

    def __enter__(self) -> Self:
        self.link.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.__exit__()
        for server in self.servers:
            server.kill()

    def fail_over(self) -> None:
        """The replica becomes the primary, the name leads to it, and the old one answers whoever is connected to it."""
        redis.Redis(port=self.servers[1].port).replicaof("NO", "ONE")
        self.link.target_port = self.servers[1].port
        self._follow(0, 1)

    def _follow(self, replica: int, primary: int) -> None:
        redis.Redis(port=self.servers[replica].port).replicaof("127.0.0.1", self.servers[primary].port)
        known = redis.Redis(port=self.servers[primary].port)
        until(lambda: known.info("replication").get("slave0", {}).get("state") == "online")
