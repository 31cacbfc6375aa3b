"""What a service needs to read models that may lie in a bucket: a folder, and a loop that keeps it in step."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contract.errors import RetortError
from contract.loop import Loop
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from storage.bucket import Bucket
from storage.cache import ModelCache
from storage.mirror import Content, Mirror

log = logging.getLogger(__name__)
SILENT_S = 20.0
"""A bucket that has said nothing for so long, while it is asked, is said to be silent."""
Step = Callable[[], list[str]]


class Stopping(RetortError):
    """The process stops while something is fetched, which can be left at any point."""

    code = "stopping"


class MakeLoop(Protocol):
    def __call__(self, name: str, step: Callable[[], object], *, pause_s: float) -> Loop: ...


def at_once(step: Step) -> list[str]:
    """Take the step on the thread that asks for it."""
    return step()


class Follower:
    """Keeps a mirror in step, and says why it is not."""

    def __init__(
        self,
        mirror: Mirror,
        *,
        wanted: Callable[[str], bool],
        pause_s: float,
        make_loop: MakeLoop,
        take: Callable[[Step], list[str]],
    ) -> None:
        """`wanted` says of a model's name whether it is fetched; `take` takes a step, which may last, and returns what
        it returns."""
        self._mirror = mirror
        self._wanted = wanted
        self._pause_s = pause_s
        self._take = take
        self._trouble: str | None = None
        self._is_asking = False
        self.loop = make_loop("model-follower", self.step, pause_s=pause_s)
        mirror.on_answer = self._go_on

    @property
    def complaint(self) -> str | None:
        """Why the models may not be those of the bucket, which changes nothing for those that are served; or None."""
        silent_s = time.monotonic() - self._mirror.heard_at
        if self._trouble is None and self._is_asking and silent_s > SILENT_S:
            return f"{self._mirror.bucket}: has not answered for {silent_s:.0f} s"
        return self._trouble

    def step(self) -> None:
        """Look once. Raises what is wrong."""
        self._mirror.heard_at = time.monotonic()
        self._is_asking = True
        try:
            news = self._take(lambda: self._mirror.sync(self._wanted))
        except RetortError as error:
            self._trouble = str(error)
            raise
        finally:
            self._is_asking = False
        if self._trouble is not None:
            log.info("%s: models are followed again", self._mirror.bucket)
        self._trouble = None
        for line in news:
            log.info(line)

    def _go_on(self) -> None:
        if self.loop.is_stopping:
            raise Stopping(f"{self._mirror.bucket} is not followed to the end")


@dataclass(frozen=True)
class ModelFolder:
    """Where a service reads models: the volume, or the folder that its follower keeps in step with a bucket."""

    folder: Path
    follower: Follower | None = None

    def start(self) -> None:
        if self.follower is not None:
            self.follower.loop.start()

    def stop(self) -> None:
        """Ask the loop to end. It is not waited for: what it is at can be left at any point."""
        if self.follower is not None:
            self.follower.loop.stop(timeout_s=0)

    @property
    def loops(self) -> list[Loop]:
        """That of the follower, where there is one."""
        return [self.follower.loop] if self.follower else []

    @property
    def complaint(self) -> str | None:
        return self.follower.complaint if self.follower else None


def model_folder(
    settings: SharedSettings,
    service: str,
    content: Content,
    *,
    wanted: Callable[[str], bool] = lambda _: True,
    make_loop: MakeLoop = Loop,
    take: Callable[[Step], list[str]] = at_once,
) -> ModelFolder:
    """Where the service reads models, as RETORT_MODELS_DIR says; for its `content`. Raises BadSettings."""
    if isinstance(settings.models_dir, Path):
        return ModelFolder(settings.models_dir)
    folder = cache_folder(settings, settings.models_dir, service)
    most_bytes = int(settings.models_cache_mb * 2**20)
    mirror = Mirror(Bucket(settings.models_dir), ModelCache(folder, most_bytes), content)
    pause_s = settings.models_follow_s
    return ModelFolder(folder, Follower(mirror, wanted=wanted, pause_s=pause_s, make_loop=make_loop, take=take))


def cache_folder(settings: SharedSettings, url: StoreUrl, service: str) -> Path:
    """The folder for what a service fetches from this URL. Each service has its own, for each wants something else."""
    known_by = hashlib.sha256(str(url).encode()).hexdigest()[:12]
    return settings.models_cache_dir / f"{url.scheme}-{url.bucket}-{known_by}" / service
