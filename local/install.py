"""Makes an environment equal to hash-locked requirements, with uv, from the package index that pip is configured for.

Runs in the environment that it fills: python local/install.py LOCK...
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from sysconfig import get_path

RETORT = """#!{python}
import sys

from retort_client.cli import main

sys.exit(main())
"""
BUILD_LOCK = "requirements/build.txt"
# uv's variable for each of pip's settings, and what separates several values in it.
UV_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "cert": ("SSL_CERT_FILE", " "),
}


def pip_settings() -> dict[str, str]:
    """What pip's files and variables say, by option: {"index-url": "https://…"}."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    found = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return found


def uv_environment(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with pip's settings in uv's words; what it says to uv already stays."""
    translated = {
        variable: separator.join(pip[option].split())
        for option, (variable, separator) in UV_VARIABLES.items()
        if option in pip
    }
    # Safe with several indexes, for the hashes decide.
    defaults = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
    return {**defaults, **translated, **environment, "VIRTUAL_ENV": sys.prefix}


def sync(locks: Sequence[str], *options: str) -> list[str]:
    """The command that makes an environment equal to the locks."""
    uv = f"{sys.prefix}/bin/uv"
    return [uv, "pip", "sync", "--require-hashes", "--build-constraints", BUILD_LOCK, *options, *locks]


def add_client(client: Path, packages: Path, programs: Path) -> None:
    """Make the client in this checkout importable, and `retort` a program: an editable install that builds nothing."""
    (packages / "retort_client.pth").write_text(f"{client}\n", encoding="utf-8")
    program = programs / "retort"
    program.write_text(RETORT.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)


def main(locks: list[str]) -> int:
    add_client(Path("client").resolve(), Path(get_path("purelib")), Path(get_path("scripts")))
    return subprocess.run(sync(locks), env=uv_environment(pip_settings(), os.environ)).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
