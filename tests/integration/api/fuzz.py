"""Schemathesis over the OpenAPI document, against the service as it is run: all checks, all phases.

`python -m tests.integration.api.fuzz 400` makes some 400 cases per operation and phase.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OF_A_VERSION = r"^/v2/.*\{version\}"
"""Addresses that differ from others in this part alone: inference_fuzz.py asks them."""


def fuzz(redis: RedisServer, folder: Path, examples: int, seed: int | None = None) -> subprocess.CompletedProcess[str]:
    """The finished run of schemathesis; its standard output is the report."""
    write_tiny_artifact(folder / "models", "default")
    with (
        AnsweringWorker(ApiSettings(redis_url=redis.url)),
        RunningService(
            folder / "models", "default", redis=redis, folder=folder, workers=0, default_wait_s=1, max_wait_s=1
        ) as service,
    ):
        return subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml",
                "run", f"{service.url}/openapi.json", "--checks", "all", "--max-examples", str(examples),
                "--continue-on-failure", "--generation-database", "none", "--exclude-path-regex", OF_A_VERSION,
                *(["--seed", str(seed)] if seed else []),
            ],
            # The path makes sure that `tests` is this project's: installed packages have some of that name, too.
            env=os.environ | {"SCHEMATHESIS_HOOKS": f"{__package__}.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        done = fuzz(server, Path(folder), int(sys.argv[1]))
    print(done.stdout)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
