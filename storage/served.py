"""Which version of a model is served, which were before, and which are being deleted: what writers change as one.

In a bucket it is the object CURRENT: the version alone on its first line, as in a folder, and all of it as JSON on the
second. A writer replaces just the content that it has read, so none can undo what another did meanwhile: whoever comes
second reads anew and decides anew. A version is deleted only after it was put down here as being deleted, and such a
one is never made current; so CURRENT names a whole version at any time, whoever dies when.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.artifact import NAME_PATTERN, Name
from contract.errors import BadArtifact


def _new() -> str:
    return secrets.token_hex(8)


class Served(BaseModel):
    """The versions of one model. What a newer release adds is not kept by this one, which would not know its rules."""

    model_config = ConfigDict(frozen=True)

    version: Name | None = None
    history: tuple[Name, ...] = Field(default=(), description="versions made current, in order, up to this one")
    deleting: tuple[Name, ...] = Field(default=(), description="versions that are gone, though some files may be left")
    activation: str = Field(default="", description="changes whenever a version is made current, be it the same one")
    revision: str = Field(default="", description="of every writing another, so that no content ever comes again")

    def activated(self, version: str) -> Served:
        """The version is current, and comes last in the history."""
        history = self.history if version == self.version else (*self.history, version)
        return self.model_copy(update={"version": version, "history": history, "activation": _new()})

    def earlier(self, existing: Iterable[str]) -> str | None:
        """The version that was current before this one and is still there; None when there is none."""
        there = set(existing) - {self.version} - set(self.deleting)
        return next((version for version in reversed(self.history) if version in there), None)

    def rolled_back(self, version: str) -> Served:
        """An earlier version is current again; what came after it is forgotten."""
        last = len(self.history) - self.history[::-1].index(version)
        return self.model_copy(update={"version": version, "history": self.history[:last], "activation": _new()})

    def without(self, versions: Iterable[str]) -> Served:
        """These versions are being deleted."""
        return self.model_copy(update={"deleting": (*self.deleting, *versions)})

    def deleted(self, versions: Iterable[str]) -> Served:
        """Of these versions nothing is left."""
        gone = set(versions)
        return self.model_copy(update={"deleting": tuple(each for each in self.deleting if each not in gone)})

    def revised(self) -> Served:
        """The same, to be written."""
        return self.model_copy(update={"revision": _new()})

    def content(self) -> bytes:
        """What the object CURRENT holds."""
        return f"{self.version or ''}\n{self.model_dump_json()}\n".encode()

    @classmethod
    def parse(cls, content: bytes, where: str) -> Served:
        """What an object CURRENT says. One that came from a folder has its first line alone. Raises BadArtifact."""
        first, _, rest = content.decode(errors="replace").partition("\n")
        try:
            if rest.strip():
                return cls.model_validate_json(rest)
        except ValidationError as error:
            raise BadArtifact(f"{where}: {error.errors()[0]['msg']}") from error
        version = first.strip()
        if not re.fullmatch(NAME_PATTERN, version):
            raise BadArtifact(f"{where} names no version: {version[:80]!r}")
        return cls(version=version, history=(version,), activation=version)
