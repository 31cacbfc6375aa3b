"""Which models are served: those that RETORT_MODEL names, or all on the volume, as far as memory allows.

Each follows its own CURRENT and is loaded, checked, swapped and refused by itself. Where their weights together exceed
the bound, those stay in memory that were used last: a model that is left out is loaded when a job for it waits, and the
one that was not used for longest makes room, once the new one is loaded. The default model always stays.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from contract import memory
from contract.errors import NoModel
from contract.loop import STOP_S
from contract.model_store import ModelStore
from contract.selection import Selection
from worker.loops import worker_loop
from worker.metrics import UNLOADED_MODELS
from worker.pipeline.model_follower import ModelFollower, Sighting

if TYPE_CHECKING:
    from worker.engine.model import Model

STAY_S = 10.0
"""A model stays in memory for so long at least, so that two which take turns do not spend their time on loading."""


class ModelManager:
    """The models of this worker, by name. `model` may be called by any thread; all else is the loop's."""

    def __init__(
        self,
        *,
        store: ModelStore,
        selection: Selection,
        load: Callable[[Path], Model],
        on_loaded: Callable[[str, Model], None],
        on_unloaded: Callable[[str], None],
        is_wanted: Callable[[str], bool],
        reload_s: float,
        device: str,
        most_bytes: int = 0,
        release: Callable[[], object] = memory.release,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_loaded` is told of each version that is served from now on, `on_unloaded` of each model that is in memory
        no longer. `is_wanted` says whether jobs for a model wait. `most_bytes` bounds the weights in memory; 0: never.
        `release` gives the system back what is free, when a model has left.
        """
        self._store = store
        self._selection = selection
        self._load = load
        self._on_loaded = on_loaded
        self._on_unloaded = on_unloaded
        self._is_wanted = is_wanted
        self._device = device
        self._most_bytes = most_bytes
        self._release = release
        self._leaving: list[weakref.ref[Model]] = []
        """What is served no longer; the batches that were begun with it may still use it."""
        self._clock = clock
        self._followers: dict[str, ModelFollower] = {}
        self._follow(selection.names)
        self.loop = worker_loop("model-manager", self.poll, pause_s=reload_s)

    @property
    def followers(self) -> list[ModelFollower]:
        """One for each model that is served or is to be, the default one first."""
        return list(self._followers.values())

    @property
    def names(self) -> list[str]:
        return list(self._followers)

    @property
    def loaded(self) -> list[Model]:
        """What is in memory."""
        return [each.loaded for each in self.followers if each.loaded is not None]

    def model(self, name: str) -> Model:
        """The version to use for new work. Raises NoModel while none is in memory."""
        if (follower := self._followers.get(name)) is None:
            raise NoModel(f"model {name!r} is not served here")
        return follower.use()

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Look for no new version any more; True when the thread ended within `timeout_s`."""
        return self.loop.stop(timeout_s)

    def poll(self) -> None:
        """Look at the volume once, load what is new there or wanted again, and unload what there is no room for."""
        self._give_back()
        before = self.loaded
        self._look()
        after = self.loaded
        self._leaving += [weakref.ref(model) for model in before if model not in after]

    def _give_back(self) -> None:
        """Give back the memory of models that left, once nothing uses them any more."""
        still_used = [each for each in self._leaving if each() is not None]
        if len(still_used) < len(self._leaving):
            self._leaving = still_used
            self._release()

    def _look(self) -> None:
        if self._selection.every:
            self._discover()
        for follower in self.followers:
            if self.loop.is_stopping:
                return
            if sighting := follower.due():
                self._consider(follower, sighting)
        self._make_room()

    def _discover(self) -> None:
        """Follow every model on the volume; forget those that have gone from it and are in memory no longer."""
        published = self._store.published()
        self._follow(published)
        kept = {*published, *self._selection.names}
        for gone in [each for each in self.followers if each.name not in kept and each.loaded is None]:
            gone.forget()
            self._followers = {name: each for name, each in self._followers.items() if each is not gone}

    def _follow(self, names: Iterable[str]) -> None:
        """Follow these models too. The dictionary is replaced, never changed, for other threads read it."""
        more = {
            name: ModelFollower(name, store=self._store, load=self._load, device=self._device, clock=self._clock)
            for name in names
            if name not in self._followers
        }
        if more:
            followers = (self._followers | more).items()
            self._followers = dict(sorted(followers, key=lambda one: one[0] != self._selection.default))

    def _consider(self, follower: ModelFollower, sighting: Sighting) -> None:
        if not self._may_load(follower, sighting):
            follower.leave_unloaded()
        elif follower.take(sighting) and follower.loaded is not None:
            self._on_loaded(follower.name, follower.loaded)
            self._make_room()

    def _may_load(self, follower: ModelFollower, sighting: Sighting) -> bool:
        if not self._most_bytes or follower.loaded is not None or follower.name == self._selection.default:
            return True
        more = self._store.weights_bytes(follower.name, sighting[0])
        if self._bytes() + more <= self._most_bytes:
            return True
        others = self._removable()
        return (not others or any(map(self._has_stayed, others))) and self._is_wanted(follower.name)

    def _make_room(self) -> None:
        """Unload what was not used for longest until the rest is within the bound; the one used last stays."""
        for each in sorted(self._removable(), key=lambda each: each.used_at)[:-1]:
            if not self._most_bytes or self._bytes() <= self._most_bytes:
                return
            if self._has_stayed(each):
                self._on_unloaded(each.name)
                each.unload()
                UNLOADED_MODELS.inc()

    def _removable(self) -> list[ModelFollower]:
        return [each for each in self.followers if each.loaded is not None and each.name != self._selection.default]

    def _has_stayed(self, follower: ModelFollower) -> bool:
        return self._clock() - follower.loaded_at >= STAY_S

    def _bytes(self) -> int:
        return sum(each.bytes for each in self.followers if each.loaded is not None)
