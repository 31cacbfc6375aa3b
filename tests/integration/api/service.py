"""The API as it is run: gunicorn in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from local.ports import free_port


class Service:
    """A running API."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> int:
        """SIGTERM, and the status that the process ends with."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def serve(redis_url: str, log: Path, **settings: object) -> Iterator[Service]:
    """`python -m api` with these settings, until the block ends; its log goes to the file `log`."""
    port = free_port()
    variables = {"REDIS_URL": redis_url, "API_BIND": f"127.0.0.1:{port}"}
    variables |= {name.upper(): str(value) for name, value in settings.items()}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            env=os.environ | {f"RETORT_{name}": value for name, value in variables.items()},
            stdout=file,
            stderr=file,
        )
    try:
        yield _once_it_answers(Service(process, port), log)
    finally:
        process.kill()
        process.wait()


def _once_it_answers(service: Service, log: Path) -> Service:
    deadline = time.monotonic() + 90
    while True:
        try:
            httpx.get(f"{service.url}/health/live")
            return service
        except httpx.TransportError:
            if service.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API does not start:\n{log.read_text()}") from None
            time.sleep(0.05)
