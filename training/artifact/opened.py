"""Where models are, as RETORT_MODELS_DIR says: the volume, or a bucket with a folder of this machine before it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from contract.errors import BadArtifact
from contract.model_store import ModelStore
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from storage.bucket import Bucket
from storage.cache import ModelCache
from storage.follower import cache_folder
from storage.mirror import MANIFESTS, Mirror
from training.artifact.store import Store

log = logging.getLogger(__name__)
PATIENCE_S = 60.0
"""For one part of what is sent, over a slow link too."""


def open_store(settings: SharedSettings, name: str) -> Store:
    """The versions of one model, for writing. Raises BucketUnavailable."""
    if isinstance(settings.models_dir, Path):
        return Store(settings.models_dir, name)
    mirror = _mirror(settings, settings.models_dir, name.__eq__)
    return Store(mirror.cache.folder, name, mirror)


def open_reader(settings: SharedSettings) -> ModelStore:
    """All models, as they are now, for reading. Raises BucketUnavailable."""
    if isinstance(settings.models_dir, Path):
        return ModelStore(settings.models_dir)
    return ModelStore(_mirror(settings, settings.models_dir, lambda _: True).cache.folder)


def _mirror(settings: SharedSettings, url: StoreUrl, wanted: Callable[[str], bool]) -> Mirror:
    mirror = Mirror(Bucket(url, PATIENCE_S), ModelCache(cache_folder(settings, url, "training")), MANIFESTS)
    try:
        mirror.sync(wanted, wait=True)
    except BadArtifact as error:
        log.warning(error)  # the other versions are at hand
    return mirror
