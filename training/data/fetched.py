"""A file to read, be it on this machine or in object storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.store_url import StoreUrl, is_store_url
from storage.bucket import Bucket
from training.errors import BadData

PATIENCE_S = 60.0
"""For one part of the file, over a slow link too."""


@contextmanager
def local_file(source: Path | str) -> Iterator[Path]:
    """The file itself or, of an address such as `s3://bucket/tickets.csv`, a copy that is gone afterwards.

    Raises BadData for an address that names nothing, BucketUnavailable, and BadSettings where the library is missing.
    """
    if not is_store_url(source):
        yield Path(source)
        return
    try:
        url = StoreUrl.parse(str(source))
    except ValueError as error:
        raise BadData(str(error)) from error
    folder, _, name = url.prefix.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="retort-") as temporary:
        copy = Path(temporary) / (name or "nothing")
        if not (name and Bucket(StoreUrl(url.scheme, url.bucket, folder), PATIENCE_S).download(name, copy)):
            raise BadData(f"{url}: there is no such object")
        yield copy
