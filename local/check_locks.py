"""Resolves the locks for each platform and Python that Retort is installed on, without such a machine or a download.

Where a lock resolves, each of its packages has a file for that platform, with a hash that is locked. Wheels alone
count, for no compiler is to be needed; three packages of pure Python publish only their source.

Runs in the environment that holds uv: python -m local.check_locks
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from local.install import pip_settings, sync, uv_environment

IMAGE_PYTHON = "3.11"
PYTHONS = ("3.11", "3.12", "3.13")
LINUX = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
MACOS = "aarch64-apple-darwin"
# gevent has no wheel for macOS and Python 3.11.
MACOS_PYTHONS = ("3.12", "3.13")
PURE_SOURCES = ("bert-for-tf2", "params-flow", "py-params")

IMAGES = (
    *(("api", *storage) for storage in ((), ("storage",))),
    ("notifier",),
    *((worker, "minilm", *storage) for worker in ("worker-cpu", "worker-gpu") for storage in ((), ("storage",))),
)
"""The images of API and worker are built with what a bucket needs, or without."""
CPU = ("bootstrap", "dev", "minilm")
GPU = ("bootstrap", "dev-gpu", "minilm")
MUTANTS = (*CPU, "mutants")
DOCS = (*CPU, "docs")
CLIENTS = ("bootstrap", "clients")
"""Others' clients, to test with: KServe's wants a psutil that has no wheel for arm64."""
PEERS = ("bootstrap", "peers")
"""What is compared with, on x86: Infinity wants a numpy that has no wheel for Python 3.13."""
ENVIRONMENTS = (CPU, GPU, MUTANTS, DOCS)


class Target(NamedTuple):
    """Locks that are installed together, a platform as uv names it, a Python."""

    locks: tuple[str, ...]
    platform: str
    python: str


def targets() -> Iterator[Target]:
    """Images are for Linux; the environment that make installs is for macOS too, without CUDA there."""
    for platform in LINUX:
        yield from (Target(locks, platform, IMAGE_PYTHON) for locks in IMAGES)
        yield from (Target(locks, platform, python) for python in PYTHONS for locks in ENVIRONMENTS)
    yield from (Target(CLIENTS, LINUX[0], python) for python in PYTHONS)
    yield from (Target(PEERS, LINUX[0], python) for python in PYTHONS[:2])
    yield from (Target(CPU, MACOS, python) for python in MACOS_PYTHONS)


def problem(target: Target, environment: Mapping[str, str]) -> str | None:
    """Why the locks can't be installed there, in uv's words, or None where they can."""
    with tempfile.TemporaryDirectory() as empty:
        options = ["--dry-run", "--quiet", "--target", empty, "--only-binary", ":all:"]
        options += [f"--no-binary={name}" for name in PURE_SOURCES]
        options += ["--python-platform", target.platform, "--python-version", target.python]
        command = sync([f"requirements/{lock}.txt" for lock in target.locks], *options)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr


def main() -> int:
    environment = uv_environment(pip_settings(), os.environ)
    failed = 0
    for target in targets():
        reason = problem(target, environment)
        failed += reason is not None
        locks = ", ".join(target.locks)
        print(f"{locks:<26} {target.platform:<23} {target.python}  {reason or 'resolves'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
