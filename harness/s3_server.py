"""A server on the loopback address that speaks S3, with a bucket: moto's, one request after the other.

moto looks at what is there and then writes, which two requests at once could do between each other; a store that keeps
conditional writes, as S3 does, lets none of them in between.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.error import URLError

from harness.ports import free_port
from harness.process import ServiceProcess
from harness.until import until

BUCKET = "models"
SECRET = "harness-secret-key"  # noqa: S105  of a server that asks for none
STARTED_S = 60.0


class S3Server(ServiceProcess):
    """A process that holds objects in its memory, at `url`."""

    def __init__(self, folder: Path) -> None:
        """Its log is written to the folder."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([sys.executable, "-m", "harness.s3_server", str(self.port)], folder / "s3.log")

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment in which AWS's programs, and the services here, find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "harness",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Return once it answers and has its bucket."""
        super().start()
        until(self._has_made_bucket, STARTED_S, what="the S3 server")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _has_made_bucket(self) -> bool:
        if self.has_ended():
            raise RuntimeError(f"the S3 server has ended:\n{self.last_lines()}")
        request = urllib.request.Request(f"{self.url}/{BUCKET}", method="PUT")  # noqa: S310  http on loopback
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def serve(port: int) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    WSGIRequestHandler.log_request = lambda *_: None  # type: ignore[method-assign]
    make_server("127.0.0.1", port, DomainDispatcherApplication(create_backend_app)).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
