"""A folder that is kept in step with a bucket of models, so that whoever reads models reads a folder, as ever.

A file appears in it whole and under its own sha256, a version when all that is wanted of it is there, CURRENT after the
version that it names. Whoever dies in between leaves what the next look goes on from, and what was in the folder is
served meanwhile, whether the bucket can be reached or not. Processes that share the folder take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contract import durable
from contract.artifact import MANIFEST, Manifest, parse_manifest
from contract.errors import BadArtifact, RetortError
from contract.model_store import CURRENT
from storage.bucket import Bucket, Tag
from storage.cache import CacheTrouble, ModelCache
from storage.listing import ListedModel, listed
from storage.served import Served

RETRY_S = 30.0
"""What does not match its manifest is fetched again after this: somebody may have mended it."""


@dataclass(frozen=True)
class Content:
    """What a service wants of each model."""

    every_version: bool
    """Or only the current one, beside which the one before stays for a while."""
    is_wanted: Callable[[str], bool]
    """Whether a file of a version is, by its relative name. Manifests always are."""


WHOLE = Content(every_version=False, is_wanted=lambda _: True)
"""What a worker loads."""
REPORTS = Content(every_version=True, is_wanted=lambda file: file.startswith("report/"))
"""What the API shows."""
MANIFESTS = Content(every_version=True, is_wanted=lambda _: False)
"""What training lists and compares."""


class Mirror:
    """Fetches models of a bucket into a folder. Methods raise BucketUnavailable, BadArtifact and CacheTrouble."""

    def __init__(self, bucket: Bucket, cache: ModelCache, content: Content) -> None:
        self.bucket = bucket
        self.cache = cache
        self._content = content
        self._applied: dict[str, tuple[str, str]] = {}
        """By model, the tag of the CURRENT that was read last, and its activation."""
        self._refused: dict[str, tuple[str, float, BadArtifact]] = {}
        """By model, the tag of the CURRENT that could not be followed, until when it is left alone, and why."""
        self.heard_at = time.monotonic()
        """When the bucket last answered, in seconds of the clock."""
        self.on_answer: Callable[[], object] = lambda: None
        """Called whenever it does. What it raises ends the fetching."""

    def look(self) -> dict[str, ListedModel]:
        """What the bucket holds now."""
        found = listed(self.bucket.list())
        self._hear()
        return found

    def served(self, name: str) -> tuple[Served, Tag | None]:
        """What CURRENT of the model says, and its tag, which is None while there is no CURRENT."""
        path = f"{name}/{CURRENT}"
        found = self.bucket.read(path)
        self._hear()
        return (Served.parse(found[0], f"{self.bucket}/{path}"), found[1]) if found else (Served(), None)

    def sync(self, wanted: Callable[[str], bool] = lambda _: True, *, wait: bool = False) -> list[str]:
        """Bring the folder in step, as far as the wanted models go, and return what was done.

        What is wrong with one model is raised after all others have been looked at. Another process that shares the
        folder and is at it is left alone, unless this one is to `wait` for it.
        """
        models, news, wrong = self.look(), list[str](), list[RetortError]()
        try:
            with self.cache.lock(wait):
                for name in filter(wanted, models):
                    try:
                        news += self._sync_unless_refused(name, models[name])
                    except (BadArtifact, CacheTrouble) as error:
                        wrong.append(error)
                for name in set(self.cache.models()) - models.keys():
                    self.cache.forget(name)
                    self._applied.pop(name, None)
        except BlockingIOError:  # another process of this host is at it
            return []
        except OSError as error:
            raise CacheTrouble(f"{error.filename or self.cache.folder}: {error.strerror}") from error
        if wrong:
            raise type(wrong[0])("; ".join(map(str, wrong)))
        return news

    def fetch(self, name: str, version: str, is_wanted: Callable[[str], bool] = lambda _: True) -> Manifest:
        """Have the wanted files of the version in the folder, each as its sha256 says, and return the manifest."""
        with self.cache.lock():
            return self._fetch(name, version, is_wanted)

    def keep(self, name: str, served: Served) -> bool:
        """Let the folder's CURRENT name what the bucket's does; True when it has another version or another date now.

        A version that is made current once more is written once more, so that a worker that refused it tries it again.
        """
        _, known = self._applied.get(name, ("", served.activation))
        if served.version == self.cache.current(name) and known == served.activation:
            return False
        self.cache.set_current(name, served.version)
        return True

    def _sync_unless_refused(self, name: str, model: ListedModel) -> list[str]:
        """Bring a model in step. What was wrong with it is not fetched again at once, unless CURRENT has changed."""
        tag = model.current.tag if model.current else ""
        known = self._refused.pop(name, None)
        if known and known[0] == tag and time.monotonic() < known[1]:
            self._refused[name] = known
            raise known[2]
        try:
            return self._sync_model(name, model)
        except BadArtifact as error:
            self._refused[name] = (tag, time.monotonic() + RETRY_S, error)
            raise

    def _sync_model(self, name: str, model: ListedModel) -> list[str]:
        news = self._follow_current(name, model)
        if not self._content.every_version:
            return news
        for version in reversed(model.versions):
            if not (self.cache.path(name, version) / MANIFEST).exists():
                self._fetch_unless_deleted(name, version)
        for version in set(self.cache.versions(name)) - {*model.versions, self.cache.current(name)}:
            self.cache.remove(name, version)
        return news

    def _follow_current(self, name: str, model: ListedModel) -> list[str]:
        tag = model.current.tag if model.current else ""
        if tag and self._applied.get(name, ("", ""))[0] == tag and self.cache.current(name):
            return []
        served, read = self.served(name)
        if served.version is not None:
            if served.version not in model.versions:
                model = self.look().get(name, ListedModel())  # it was published after the look
            if served.version not in model.versions:
                raise BadArtifact(f"{self.bucket}/{name}/{CURRENT} names {served.version}, which has no manifest")
            if not self._content.every_version:
                self.cache.make_room(name, served.version, model.bytes(served.version))
            self._fetch(name, served.version, self._content.is_wanted)
        changed = self.keep(name, served)
        self._applied[name] = (read.get("e_tag", "") if read else "", served.activation)
        return [f"{self.bucket}: model {name} is at version {served.version}"] if changed else []

    def _fetch_unless_deleted(self, name: str, version: str) -> None:
        try:
            self._fetch(name, version, self._content.is_wanted)
        except BadArtifact:
            if version in self.look().get(name, ListedModel()).versions:
                raise

    def _fetch(self, name: str, version: str, is_wanted: Callable[[str], bool]) -> Manifest:
        """Fetch what is wanted and is not there, the manifest last."""
        folder = self.cache.path(name, version)
        content, manifest = self._manifest(name, version)
        for file, digest in manifest.files.items():
            path = _inside(folder, file)
            if is_wanted(file) and not self.cache.has(path, digest):
                self._fetch_file(f"{name}/{version}/{file}", path, digest)
        if content is not None:
            folder.mkdir(parents=True, exist_ok=True)
            durable.write_text(folder / MANIFEST, content.decode())
        return manifest

    def _fetch_file(self, name: str, path: Path, digest: str) -> None:
        def write(part: Path) -> None:
            if not self.bucket.download(name, part, self._hear):
                raise BadArtifact("there is no such object")

        try:
            self.cache.put(path, digest, write)
        except BadArtifact as error:
            raise BadArtifact(f"{self.bucket}/{name}: {error}") from error

    def _manifest(self, name: str, version: str) -> tuple[bytes | None, Manifest]:
        """The version's manifest, and its bytes where they are not in the folder yet."""
        path = self.cache.path(name, version) / MANIFEST
        try:
            return None, _checked(path.read_bytes(), name, version, path)
        except (OSError, BadArtifact):
            found = self.bucket.read(f"{name}/{version}/{MANIFEST}")
        self._hear()
        where = f"{self.bucket}/{name}/{version}/{MANIFEST}"
        if found is None:
            raise BadArtifact(f"{where}: there is no such object")
        return found[0], _checked(found[0], name, version, where)

    def _hear(self) -> None:
        self.heard_at = time.monotonic()
        self.on_answer()


def _checked(content: bytes, name: str, version: str, where: object) -> Manifest:
    manifest = parse_manifest(content, where)
    if (manifest.name, manifest.version) != (name, version):
        raise BadArtifact(f"{where}: is {manifest.name} {manifest.version}")
    return manifest


def _inside(folder: Path, file: str) -> Path:
    """Where the file of a version goes. Raises BadArtifact for a name that leads out of its folder."""
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadArtifact(f"{folder / MANIFEST}: files: {file} lies outside the artifact")
    return path
