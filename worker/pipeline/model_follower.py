"""One model as this worker serves it: follows CURRENT, loads a version beside the one before, swaps when it is warm."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import BadArtifact, BadModel, NoModel
from contract.fleet import WorkerState
from contract.model_store import ModelStore
from worker.metrics import MODEL, REFUSED_VERSIONS, REFUSES_CURRENT, RELOADS

if TYPE_CHECKING:
    from worker.engine.model import Model

log = logging.getLogger(__name__)
RETRY_S = 30.0
"""A version that could not be read, or any while nothing is served, is tried again after this: it may have passed."""
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
Sighting = tuple[str, int]
"""A version that CURRENT named, and when CURRENT was written: activating a refused version again tries it again."""


class ModelFollower:
    """Holds one served model. A version that can't be loaded is refused, and the old one goes on serving."""

    def __init__(
        self,
        name: str,
        *,
        store: ModelStore,
        load: Callable[[Path], Model],
        device: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._store = store
        self._load = load
        self._device = device
        self._clock = clock
        self._seen: Sighting | None = None
        self._refused_at = float("-inf")
        self._was_unreadable = False
        """Whether the last refusal was for an error of the system, and not for what the version is."""
        self._complaint = ""
        self.loaded: Model | None = None
        self.loaded_at = self.used_at = float("-inf")
        """When its first version came into memory, and when its last work came, in seconds of the clock."""
        self.bytes = 0
        """Of the loaded version's weights, as their file has them."""
        self.state = WorkerState.WAITING_FOR_MODEL
        self.refused: dict[str, str] = {}
        """Versions that were refused since the last swap, and why."""
        REFUSES_CURRENT.labels(name).set_function(lambda: self.refuses_current)

    @property
    def refuses_current(self) -> bool:
        """True when CURRENT names a version that can't be loaded."""
        return self._seen is not None and self._seen[0] in self.refused

    def use(self) -> Model:
        """The version to use for new work. Raises NoModel while none is in memory."""
        if self.loaded is None:
            raise NoModel(f"no version of model {self.name!r} is in memory")
        self.used_at = self._clock()
        return self.loaded

    def due(self) -> Sighting | None:
        """What CURRENT names, if it should be loaded; None while all is as it should be, or can't be better."""
        try:
            sighting = self._store.sighting(self.name)
        except (NoModel, OSError) as error:
            self._complain(f"waiting for a model: {error}")
            if self.loaded is None:
                self.state = WorkerState.WAITING_FOR_MODEL
            return None
        if sighting == self._seen and not self._is_worth_a_retry():
            return None
        if self.loaded is not None and self.loaded.version == sighting[0]:
            self._seen = sighting
            return None
        return sighting

    def take(self, sighting: Sighting) -> bool:
        """Load this version and serve it; True when it could be served."""
        self._seen = sighting
        version = sighting[0]
        if self.loaded is None:
            self.state = WorkerState.LOADING
        log.info("loading %s version %s", self.name, version)
        try:
            model = self._load(self._store.path(self.name, version))
            if model.version != version:
                raise BadArtifact(f"the manifest of {version} says that it is version {model.version}")
        except BadModel as error:
            self._refuse(version, error, str(error))
        except Exception as error:
            log.exception("version %s of %s can't be loaded", version, self.name)
            self._refuse(version, error, f"{type(error).__name__}: {error}")
        else:
            self._swap(model)
            return True
        return False

    def leave_unloaded(self) -> None:
        """Say that a version is there which is not in memory."""
        self.state = WorkerState.UNLOADED

    def unload(self) -> None:
        """Give the memory back. What was begun is answered; new work needs the model loaded again."""
        if self.loaded is not None:
            MODEL.remove(*self._labels(self.loaded))
        self.loaded = self._seen = None
        self.leave_unloaded()
        log.info("model %s is unloaded, until a job for it comes", self.name)

    def forget(self) -> None:
        """Follow the model no more: it is gone from the volume."""
        REFUSES_CURRENT.remove(self.name)

    def _is_worth_a_retry(self) -> bool:
        may_pass = self.loaded is None or self._was_unreadable
        return may_pass and self._clock() - self._refused_at >= RETRY_S

    def _refuse(self, version: str, error: Exception, why: str) -> None:
        REFUSED_VERSIONS.inc()
        self._was_unreadable = _is_of_the_system(error)
        self._refused_at = self._clock()
        self.refused[version] = why
        if self.loaded is None:
            self.state = WorkerState.WAITING_FOR_MODEL
        serving = self.loaded.version if self.loaded else "none"
        log.error("version %s of %s is refused, still serving %s: %s", version, self.name, serving, why)

    def _swap(self, model: Model) -> None:
        if self.loaded is None:
            self.loaded_at = self.used_at = self._clock()
        else:
            MODEL.remove(*self._labels(self.loaded))
        self.loaded = model
        self.bytes = self._store.weights_bytes(self.name, model.version)
        self._was_unreadable = False
        self._complaint = ""
        self.refused.clear()
        self.state = WorkerState.READY
        RELOADS.inc()
        MODEL.labels(*self._labels(model)).set(1)
        how = (model.precision, model.runtime, self._device)
        log.info("serving %s version %s in %s by %s on %s", self.name, model.version, *how)

    def _labels(self, model: Model) -> tuple[str, ...]:
        return self.name, model.version, model.precision, model.runtime, self._device

    def _complain(self, message: str) -> None:
        if message != self._complaint:
            log.warning(message)
            self._complaint = message


def _is_of_the_system(error: BaseException) -> bool:
    """True when the system failed to read a file that is there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause.errno not in ABSENT
        cause = cause.__cause__
    return False
