"""An address in object storage, as `RETORT_MODELS_DIR` and `--data` take it beside a path: `s3://bucket/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

SCHEMES: Final = ("s3", "gs", "az")
"""Amazon's S3 and all that speak its protocol, Google's Cloud Storage, Azure's Blob Storage."""
BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class StoreUrl:
    """A bucket (in Azure's words a container) and what the names of the objects begin with, without a slash around."""

    scheme: str
    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> StoreUrl:
        """Raises ValueError, whose message holds no secret: a stranger may have written one into the address."""
        scheme, _, rest = url.partition("://")
        if scheme not in SCHEMES:
            raise ValueError(
                f"{scheme}:// is not known; known are {', '.join(f'{one}://' for one in SCHEMES)}, and folders"
            )
        if "@" in rest or "?" in rest:
            raise ValueError(
                f"{scheme}://BUCKET/PREFIX takes neither a user nor parameters; keys come from the environment"
            )
        bucket, _, prefix = rest.partition("/")
        parts = [part for part in prefix.split("/") if part]
        if not BUCKET.fullmatch(bucket) or {".", ".."} & set(parts):
            raise ValueError(f"{url!r} is no address like {scheme}://BUCKET/PREFIX")
        return cls(scheme, bucket, "/".join(parts))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def is_store_url(text: object) -> bool:
    """True for what is meant as an address in object storage, be it a good one or not."""
    return isinstance(text, str) and "://" in text


def _place(value: object) -> object:
    return StoreUrl.parse(str(value)) if is_store_url(value) else value


ModelsPlace = Annotated[Path | StoreUrl, BeforeValidator(_place), NoDecode]
"""Where models are kept: a folder, or a place in object storage."""
