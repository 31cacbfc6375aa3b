"""API keys: who may call, how often, with how much. The file holds hashes; a key is shown once, when it is made.

    [[keys]]
    name = "alice"
    sha256 = "…64 hexadecimal digits…"
    owner = "alice"     # whose jobs these are, optional: its name; keys of one owner see the same jobs
    rate_per_s = 20     # requests a second, optional
    max_texts = 1000    # texts a request, optional
    webhook_secrets = ["whsec_…"]              # all of them sign its webhooks, optional: without any it has none
    webhook = "https://hooks.example.com/done" # told of the end of every job that names no other, optional

A key is 32 random bytes, so that a plain SHA-256 of it can't be turned back by guessing.
`python -m api.keys new alice >> keys.toml` makes one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator

from contract.artifact import Digest, Name
from contract.errors import BadSettings
from contract.strict import Strict

log = logging.getLogger(__name__)

SETTLED_S = 1.0

VARIABLE = "RETORT_API_KEYS_FILE"
SECRET_PREFIX = "whsec_"  # noqa: S105  what a secret begins with is none
SECRET_BYTES = range(24, 65)
"""What Standard Webhooks asks of a secret."""


def _is_webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True))
    except binascii.Error:
        size = 0
    if not text.startswith(SECRET_PREFIX) or size not in SECRET_BYTES:
        raise ValueError(f"{SECRET_PREFIX} and 24 to 64 bytes in base64, as `python -m api.keys secret` makes them")
    return secret


WebhookSecret = Annotated[SecretStr, AfterValidator(_is_webhook_secret)]


class Key(Strict):
    """One caller."""

    name: Name
    sha256: Digest
    owner: Name | None = None
    rate_per_s: int | None = Field(default=None, ge=1)
    max_texts: int | None = Field(default=None, ge=1)
    webhook_secrets: tuple[WebhookSecret, ...] = ()
    webhook: str | None = None

    @model_validator(mode="after")
    def can_sign(self) -> Key:
        if self.webhook and not self.webhook_secrets:
            raise ValueError("`webhook` needs `webhook_secrets`, which sign what is sent there")
        return self


class _File(Strict):
    keys: tuple[Key, ...]


def digest(key: str) -> str:
    """Hash a key, with SHA-256: its file holds no more of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def read(path: Path) -> dict[str, Key]:
    """The keys of a file by their digest. Raises BadSettings, which names the place."""
    try:
        return _parsed(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{VARIABLE}: {path}: {error}") from error


def _parsed(path: Path, text: str) -> dict[str, Key]:
    try:
        found = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{VARIABLE}: {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"{VARIABLE}: {path}: {where}: {first['msg']}") from error
    if len({key.name for key in found.keys}) < len(found.keys):
        raise BadSettings(f"{VARIABLE}: {path}: two keys have the same name")
    return {key.sha256: key for key in found.keys}


Version = tuple[int, int, int]
"""A file as its folder knows it: inode, time of the last change, size."""


class Keys:
    """The keys of a file that may change while the service runs.

    A changed file counts once nobody has written to it for SETTLED_S, so that one which is written in place is never
    read by halves. One that is deleted or broken changes nothing, and is complained about.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._read: Version | None = self._version()
        self._seen, self._seen_at = self._read, clock()
        self._keys = read(path)
        self._fault: str | None = None
        self.complaint: str | None = None
        """What is wrong with the file now; the keys are those of before."""

    def find(self, key: str) -> Key | None:
        """The caller who has this key."""
        self.refresh()
        return self._keys.get(digest(key))

    def named(self, name: str) -> Key | None:
        """The entry of this name."""
        self.refresh()
        return next((key for key in self._keys.values() if key.name == name), None)

    def refresh(self) -> None:
        """Read the file if it has changed and settled."""
        version, now = self._version(), self._clock()
        if version != self._seen:
            self._seen, self._seen_at = version, now
        if version is None:
            self._complain(f"{VARIABLE}: {self._path} is gone")
            return
        if version != self._read and max(now - version[1] / 1e9, now - self._seen_at) >= SETTLED_S:
            self._reread(version)
        self._complain(self._fault)

    def _reread(self, version: Version) -> None:
        try:
            keys, fault = read(self._path), None
        except BadSettings as error:
            keys, fault = self._keys, str(error)
        if self._version() == version:
            self._keys, self._fault, self._read = keys, fault, version

    def _complain(self, of: str | None) -> None:
        if of is not None and of != self.complaint:
            log.error("the API keys stay as they were", extra={"error": of})
        self.complaint = of

    def _version(self) -> Version | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
