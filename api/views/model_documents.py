"""Models as clients see them: what the volume holds and which workers serve it."""

from __future__ import annotations

from api.jobs.fleet_cache import FleetCache
from api.openapi.schemas import ModelDocument, ModelSummary, VersionDocument
from contract.artifact import Manifest
from contract.errors import BadArtifact, NoModel
from contract.hints import hint
from contract.model_store import ModelStore

REPORT_PAGE = "report/index.html"


class ModelDocuments:
    """Reads the volume at every request: models come and go without a restart."""

    def __init__(self, store: ModelStore, fleet: FleetCache, default: str) -> None:
        self._store = store
        self._fleet = fleet
        self._default = default

    def names(self) -> list[str]:
        """Models that are published or served, sorted."""
        return sorted({*self._store.names(), *self._fleet.models})

    def summary(self, name: str) -> ModelSummary:
        return ModelSummary(
            name=name,
            default=name == self._default,
            current=self._current(name),
            versions=self._store.versions(name),
            workers=len(self._fleet.ready(name)),
        )

    def detail(self, name: str) -> ModelDocument:
        """A model with all its versions. Raises NoModel for a name that is neither published nor served."""
        known = self.names()
        if name not in known:
            raise NoModel(f"no model {name!r} is published or served here{hint(name, known)}")
        versions = [self._version(name, version) for version in reversed(self._store.versions(name))]
        return ModelDocument(name=name, default=name == self._default, current=self._current(name), versions=versions)

    def _current(self, name: str) -> str | None:
        try:
            return self._store.current(name)
        except NoModel:
            return None

    def _version(self, name: str, version: str) -> VersionDocument:
        served = ((worker.id, worker.of(name)) for worker in self._fleet.workers)
        workers = [worker for worker, found in served if found is not None and found.version == version]
        found = VersionDocument(version=version, current=version == self._current(name), workers=workers)
        try:
            manifest = self._store.manifest(name, version)
        except BadArtifact as error:
            return found.model_copy(update={"problem": str(error)})
        told = {
            "labels": list(manifest.labels),
            "other": manifest.other,
            "thresholds": _thresholds(manifest),
            "max_length": manifest.max_length,
            "windows": manifest.windows_of(None),
            "review_below": manifest.review_below,
            "unfamiliar_above": manifest.unfamiliar_above,
            "metrics": manifest.metrics,
            "created": manifest.provenance.created,
            "base_model": manifest.provenance.base_model,
            "report": f"/models/{name}/versions/{version}/report/index.html" if REPORT_PAGE in manifest.files else None,
        }
        return found.model_copy(update=told)


def _thresholds(manifest: Manifest) -> dict[str, float] | None:
    """By label; None when each text has exactly one label."""
    found = manifest.label_thresholds
    return None if found is None else dict(zip(manifest.labels, found, strict=True))
