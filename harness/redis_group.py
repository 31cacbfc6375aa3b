"""A primary, its replicas and the Sentinels that watch them, as real processes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Self

import redis

from harness.network import Network
from harness.ports import free_port
from harness.process import ServiceProcess
from harness.redis_server import DURABLE, RedisServer
from harness.until import until
from local.redis_server import executable

GROUP = "retort"
DOWN_AFTER_MS = 1000
SENTINELS = 3
PATIENCE_S = 60.0


class RedisGroup:
    """Started on entry, killed on exit. `url` is what the service is given."""

    def __init__(self, folder: Path, *, replicas: int = 2, network: Network | None = None) -> None:
        """Each server lives on a host of `network`, one for each is needed; on this one where there is none."""
        self._folder = folder
        self._network = network
        self.servers = [self._server(number) for number in range(1 + replicas)]
        self.sentinels: list[ServiceProcess] = []
        self.sentinel_ports = [free_port() for _ in range(SENTINELS)]
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        self.url = f"redis+sentinel://{hosts}/{GROUP}"

    def __enter__(self) -> Self:
        first, *others = self.servers
        try:
            first.start()
            for server in others:
                server.start()
                _client(server).replicaof(first.host, first.port)
            self.sentinels = [self._sentinel(port, first) for port in self.sentinel_ports]
            for sentinel in self.sentinels:
                sentinel.start()
            self.await_whole()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.sentinels, *self.servers]:
            process.kill()

    def primary(self) -> RedisServer:
        """The server that the Sentinels call the primary. Raises RuntimeError where they do not agree on one."""
        named = set()
        for port in self.sentinel_ports:
            with suppress(redis.RedisError), redis.Redis(port=port, socket_timeout=1) as client:
                named.add(int(client.execute_command("SENTINEL", "get-master-addr-by-name", GROUP)[1]))
        if len(named) != 1:
            raise RuntimeError(f"the Sentinels name {named or 'no primary'}")
        return next(server for server in self.servers if server.port in named)

    def await_failover(self, before: RedisServer) -> RedisServer:
        """Return the new primary, once all Sentinels name another one than `before` and it takes writes."""
        until(lambda: self._has_another_than(before), PATIENCE_S, what="another primary", pause_s=0.05)
        return self.primary()

    def await_whole(self) -> None:
        """Return once every server but the primary is a replica that has caught up, and every Sentinel knows so."""
        until(self._is_whole, PATIENCE_S, what="the group of Redis servers", pause_s=0.1)

    def _has_another_than(self, before: RedisServer) -> bool:
        with suppress(RuntimeError, redis.RedisError):
            primary = self.primary()
            return primary is not before and _role(primary) == "master"
        return False

    def _is_whole(self) -> bool:
        try:
            primary = self.primary()
            replication = _client(primary).info("replication")
            up = [
                replication[name]
                for name in replication
                if name.startswith("slave") and replication[name]["state"] == "online"
            ]
            return (
                replication["role"] == "master"
                and len(up) == len(self.servers) - 1
                and all(self._knows(port, len(up)) for port in self.sentinel_ports)
            )
        except (RuntimeError, redis.RedisError):
            return False

    def _knows(self, port: int, replicas: int) -> bool:
        with redis.Redis(port=port, socket_timeout=1, decode_responses=True) as client:
            seen = client.sentinel_master(GROUP)
        return int(seen["num-slaves"]) >= replicas and int(seen["num-other-sentinels"]) == SENTINELS - 1

    def _server(self, number: int) -> RedisServer:
        folder = self._folder / f"redis-{number}"
        folder.mkdir(parents=True)
        options = (*DURABLE, "--repl-diskless-sync-delay", "0", "--repl-timeout", "10")
        if self._network is None:
            return RedisServer(folder, *options)
        host = self._network.address(number)
        return RedisServer(folder, *options, host=host, command=self._network.command(number))

    def _sentinel(self, port: int, primary: RedisServer) -> ServiceProcess:
        folder = self._folder / f"sentinel-{port}"
        folder.mkdir()
        configuration = folder / "sentinel.conf"  # which it writes what it learns into
        configuration.write_text(
            f"port {port}\nprotected-mode no\ndir {folder}\n"
            f"sentinel monitor {GROUP} {primary.host} {primary.port} 2\n"
            f"sentinel down-after-milliseconds {GROUP} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {GROUP} 5000\n",
            encoding="utf-8",
        )
        return ServiceProcess([executable(), configuration, "--sentinel"], folder / "sentinel.log")


def _client(server: RedisServer) -> redis.Redis:
    return redis.Redis(server.host, server.port, socket_timeout=2, decode_responses=True)


def _role(server: RedisServer) -> str:
    return str(_client(server).info("replication")["role"])
