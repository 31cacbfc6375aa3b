"""The door to object storage: objects of one prefix, read, written and listed by the library obstore.

obstore is imported when a bucket is opened, so that nobody needs it who keeps models in a folder. Credentials are its
own affair: it takes them from the environment, or from the machine that it runs on, and they pass through nothing here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contract.errors import BadSettings, BucketUnavailable
from contract.store_url import StoreUrl

CONNECT_S, RETRIES = 3.0, 2
PART_BYTES = 4 * 2**20
"""Of what is moved by one request. Each has a time limit of its own, so that a slow link is none that is broken."""
PARTS_AT_ONCE = 2
STORES = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
Tag = dict[str, str]
"""What tells the content that was read from any other, in the store's words; it is given back to replace just that."""


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing has it."""

    bytes: int
    modified: datetime
    tag: str


class Bucket:
    """Objects below a URL by their names relative to it. Every method raises BucketUnavailable."""

    def __init__(self, url: StoreUrl, timeout_s: float = 15.0) -> None:
        """`timeout_s` bounds a request, of which each moves one part. Raises BadSettings where obstore is missing, or
        where the environment names no account."""
        self.url = url
        try:
            import obstore
            from obstore import exceptions
        except ImportError as error:
            raise BadSettings(
                f"{url} needs the package obstore, which is not installed: "
                "`pip install --require-hashes --no-deps -r requirements/storage.txt`, or an image built with STORAGE=1"
            ) from error
        self._obstore: Any = obstore
        self._exceptions: Any = exceptions
        try:
            self._store = _open(url, timeout_s)
        except exceptions.BaseError as error:
            raise BadSettings(f"{url}: {told(error)}") from error

    def __str__(self) -> str:
        return str(self.url)

    def list(self) -> dict[str, StoredObject]:
        """Every object by its name, sorted."""
        with self._errors():
            found = [entry for page in self._obstore.list(self._store, chunk_size=1000) for entry in page]
        return {
            each["path"]: StoredObject(each["size"], each["last_modified"], str(each["e_tag"]))
            for each in sorted(found, key=lambda each: str(each["path"]))
        }

    def read(self, name: str) -> tuple[bytes, Tag] | None:
        """The content of a small object, and its tag; None when there is no such object."""
        with self._errors():
            try:
                found = self._obstore.get(self._store, name)
                return bytes(found.bytes()), _tag(found.meta)
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes, replaces: Tag | None) -> bool:
        """Write a small object, unless another writer was first: False when it holds something else than `replaces`.

        None for `replaces` asks that there is no such object.
        """
        with self._errors():
            try:
                mode = replaces or "create"
                self._obstore.put(self._store, name, content, mode=mode, use_multipart=False)
            except (self._exceptions.AlreadyExistsError, self._exceptions.PreconditionError):
                return False
            except FileNotFoundError:
                if replaces is None:  # then it is the bucket that is not there
                    raise
                return False
        return True

    def upload(self, file: Path, name: str) -> str:
        """Write an object, whatever it was, and return its tag as listings have it."""
        options = {"chunk_size": 2 * PART_BYTES, "max_concurrency": PARTS_AT_ONCE}
        with file.open("rb") as source, self._errors():
            return str(self._obstore.put(self._store, name, source, **options)["e_tag"])

    def download(self, name: str, target: Path, heard: Callable[[], object] = lambda: None) -> bool:
        """Write the object's content to a file; False when there is no such object. `heard` is called at each part."""
        with target.open("wb") as file, self._errors():
            try:
                size = self._obstore.head(self._store, name)["size"]
                for start in range(0, size, PART_BYTES):
                    end = min(start + PART_BYTES, size)
                    file.write(self._obstore.get_range(self._store, name, start=start, end=end))
                    heard()
            except FileNotFoundError:
                return False
        return True

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; those that are gone already are as good."""
        with self._errors():
            try:
                self._obstore.delete(self._store, list(names))
            except FileNotFoundError:
                for name in names:
                    with suppress(FileNotFoundError):
                        self._obstore.delete(self._store, name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (self._exceptions.BaseError, FileNotFoundError) as error:
            raise BucketUnavailable(f"{self.url}: {told(error)}") from None


def told(error: Exception) -> str:
    """What an error of the library says, in a line, and without the parameters of addresses, which may be secrets."""
    text = str(error)
    line = re.sub(r"\?[^\s)\"]*", "", re.sub(r"<\?xml.*", "", text.partition("\n")[0])).strip(" :-")
    line = re.sub(r"^Generic \w+ error: |, after \d+ retries, max_retries: \d+, retry_timeout: \w+", "", line)
    details = re.findall(r"<Code>(\w+)</Code>", text)[:1] or re.findall(r'message: "([^"?]*)"', text)[:1]
    return f"{line} ({details[0]})" if details else line


def _open(url: StoreUrl, timeout_s: float) -> Any:
    from obstore import store

    config: dict[str, Any] = {"connect_timeout": timedelta(seconds=CONNECT_S), "timeout": timedelta(seconds=timeout_s)}
    if any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS):
        config["allow_http"] = True
    retries = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=timeout_s)}
    return getattr(store, STORES[url.scheme])(
        url.bucket, prefix=url.prefix or None, config=config, retry_config=retries
    )


def _tag(meta: Any) -> Tag:
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}
