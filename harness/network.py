"""Hosts of their own on one machine: network namespaces at a bridge, each of which can be cut off. Linux, as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from typing import Self

HERE = 254


def is_possible() -> bool:
    """Whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Network:
    """Made on entry, gone on exit. Hosts are numbered from 0; this process reaches each at its address."""

    def __init__(self, hosts: int) -> None:
        self._hosts = hosts
        self._name = f"rt{os.getpid() % 100_000}"
        self._net = f"10.{os.getpid() // 250 % 250}.{os.getpid() % 250}"

    def __enter__(self) -> Self:
        try:
            _ip("link", "add", self._name, "type", "bridge")
            _ip("addr", "add", f"{self._net}.{HERE}/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
            for host in range(self._hosts):
                self._add(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in range(self._hosts):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", self._namespace(host))
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._name)

    def address(self, host: int) -> str:
        return f"{self._net}.{host + 1}"

    def command(self, host: int) -> list[str]:
        """What a command begins with that runs on the host."""
        return ["ip", "netns", "exec", self._namespace(host)]

    def cut_off(self, host: int) -> None:
        """Drop every packet from and to the host from here on; connections stay open."""
        _ip("link", "set", self._port(host), "down")

    def join(self, host: int) -> None:
        """Let packets through again."""
        _ip("link", "set", self._port(host), "up")

    def _namespace(self, host: int) -> str:
        return f"{self._name}-{host}"

    def _port(self, host: int) -> str:
        """The host's plug at the bridge."""
        return f"{self._name}p{host}"

    def _add(self, host: int) -> None:
        namespace, inside = self._namespace(host), f"{self._name}i{host}"
        _ip("netns", "add", namespace)
        _ip("link", "add", self._port(host), "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", namespace)
        _ip("link", "set", self._port(host), "master", self._name)
        _ip("link", "set", self._port(host), "up")
        within = ("netns", "exec", namespace, "ip")
        _ip(*within, "link", "set", "lo", "up")
        _ip(*within, "addr", "add", f"{self.address(host)}/24", "dev", inside)
        _ip(*within, "link", "set", inside, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
