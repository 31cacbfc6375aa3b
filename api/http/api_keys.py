"""API keys: who may call, how often, with how much. The file holds hashes; a key is shown once, when it is made.

    [[keys]]
    name = "alice"
    sha256 = "…64 hexadecimal digits…"
    rate_per_s = 20     # requests a second, optional
    max_texts = 1000    # texts a request, optional

A key is 32 random bytes, so that a plain SHA-256 of it can't be turned back by guessing.
`python -m api.keys new alice >> keys.toml` makes one.
"""

from __future__ import annotations

import hashlib
import logging
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from contract.artifact import Digest, Name, Strict
from contract.errors import BadSettings

log = logging.getLogger(__name__)

VARIABLE = "RETORT_API_KEYS_FILE"


class Key(Strict):
    """One caller."""

    name: Name
    sha256: Digest
    rate_per_s: int | None = Field(default=None, ge=1)
    max_texts: int | None = Field(default=None, ge=1)


class _File(Strict):
    keys: tuple[Key, ...]


def digest(key: str) -> str:
    """What the file holds of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read(path: Path) -> dict[str, Key]:
    """The keys of a file by their digest. Raises BadSettings, which names the place."""
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{VARIABLE}: {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"{VARIABLE}: {path}: {where}: {first['msg']}") from error
    if len({key.name for key in found.keys}) < len(found.keys):
        raise BadSettings(f"{VARIABLE}: {path}: two keys have the same name")
    return {key.sha256: key for key in found.keys}


class Keys:
    """The keys of a file that may change while the service runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._version()
        self._keys = read(path)

    def find(self, key: str) -> Key | None:
        """The caller who has this key. A changed file counts at once; a broken one is logged and changes nothing."""
        if (version := self._version()) != self._seen:
            self._seen = version
            try:
                self._keys = read(self._path)
            except BadSettings as error:
                log.error("the API keys stay as they were", extra={"error": str(error)})
        return self._keys.get(digest(key))

    def _version(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
