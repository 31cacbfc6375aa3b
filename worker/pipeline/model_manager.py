"""Which model is served: follows CURRENT, loads a new version beside the old one, swaps when it is warm."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import BadArtifact, BadModel, NoModel
from contract.fleet import WorkerState
from contract.loop import STOP_S
from contract.model_store import CURRENT, ModelStore
from worker.loops import worker_loop
from worker.metrics import MODEL, REFUSED_VERSIONS, RELOADS

if TYPE_CHECKING:
    from worker.engine.model import Model

log = logging.getLogger(__name__)
RETRY_S = 30.0
"""A version that could not be read, or any while nothing is served, is tried again after this: it may have passed."""
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
Sighting = tuple[str, int]
"""A version that CURRENT named, and when CURRENT was written: activating a refused version again tries it again."""


class ModelManager:
    """Holds the served model. A version that can't be loaded is refused, and the old one goes on serving."""

    def __init__(
        self,
        *,
        store: ModelStore,
        name: str,
        load: Callable[[Path], Model],
        on_first: Callable[[], None],
        reload_s: float,
        device: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._name = name
        self._load = load
        self._on_first = on_first
        self._device = device
        self._clock = clock
        self._model: Model | None = None
        self._seen: Sighting | None = None
        self._refused_at = float("-inf")
        self._was_unreadable = False
        """Whether the last refusal was for an error of the system, and not for what the version is."""
        self._complaint = ""
        self.state = WorkerState.WAITING_FOR_MODEL
        self.refused: dict[str, str] = {}
        """Versions that were refused since the last swap, and why."""
        self.loop = worker_loop("model-manager", self.poll_current, pause_s=reload_s)

    @property
    def model(self) -> Model:
        """The model to use for new work. Raises NoModel before the first one is loaded."""
        if self._model is None:
            raise NoModel(f"no version of model {self._name!r} is loaded yet")
        return self._model

    @property
    def loaded(self) -> Model | None:
        return self._model

    @property
    def refuses_current(self) -> bool:
        """True when CURRENT names a version that can't be loaded."""
        return self._seen is not None and self._seen[0] in self.refused

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Look for no new version any more; True when the thread ended within `timeout_s`."""
        return self.loop.stop(timeout_s)

    def poll_current(self) -> None:
        """Load what CURRENT names if that is new."""
        try:
            sighting = self._sight()
        except (NoModel, OSError) as error:
            self._complain(f"waiting for a model: {error}")
            return
        if sighting == self._seen and not self._is_worth_a_retry():
            return
        self._seen = sighting
        if self._model is None or self._model.version != sighting[0]:
            self._take(sighting[0])

    def _is_worth_a_retry(self) -> bool:
        may_pass = self._model is None or self._was_unreadable
        return may_pass and self._clock() - self._refused_at >= RETRY_S

    def _sight(self) -> Sighting:
        version = self._store.current(self._name)
        return version, (self._store.root / self._name / CURRENT).stat().st_mtime_ns

    def _take(self, version: str) -> None:
        if self._model is None:
            self.state = WorkerState.LOADING
        log.info("loading %s version %s", self._name, version)
        try:
            model = self._load(self._store.path(self._name, version))
            if model.version != version:
                raise BadArtifact(f"the manifest of {version} says that it is version {model.version}")
        except BadModel as error:
            self._was_unreadable = _is_of_the_system(error)
            self._refuse(version, str(error))
        except Exception as error:
            log.exception("version %s can't be loaded", version)
            self._was_unreadable = _is_of_the_system(error)
            self._refuse(version, f"{type(error).__name__}: {error}")
        else:
            self._was_unreadable = False
            self._swap(model)

    def _refuse(self, version: str, why: str) -> None:
        REFUSED_VERSIONS.inc()
        self._refused_at = self._clock()
        self.refused[version] = why
        if self._model is None:
            self.state = WorkerState.WAITING_FOR_MODEL
        serving = self._model.version if self._model else "none"
        log.error("version %s is refused, still serving %s: %s", version, serving, why)

    def _swap(self, model: Model) -> None:
        first = self._model is None
        self._model = model
        self.refused.clear()
        self.state = WorkerState.READY
        RELOADS.inc()
        MODEL.clear()
        MODEL.labels(self._name, model.version, model.precision, self._device).set(1)
        log.info("serving %s version %s in %s on %s", self._name, model.version, model.precision, self._device)
        if first:
            self._on_first()

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
