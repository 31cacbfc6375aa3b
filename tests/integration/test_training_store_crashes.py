"""SIGKILL at random points of publishing, activating, rolling back and pruning, by three writers at once."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.store_churn import Churn, Place
from harness.s3_server import BUCKET, S3Server

KILLS = int(os.environ.get("STORE_KILLS", "18"))


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(str(tmp_path / "models"), tmp_path / "caches")
    server: S3Server = request.getfixturevalue("s3_server")
    return Place(f"s3://{BUCKET}/{uuid4().hex}", tmp_path / "caches", server.variables)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_current_always_names_a_whole_version_whenever_writers_are_killed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    churn = Churn(place)
    churn.kill(KILLS)

    assert churn.broken == []
    store = churn.store
    for version in store.versions.names():
        store.versions.whole(version)
    store.prune(keep=1)
    assert len(store.versions.names()) <= 2
    assert not list(store.folder.glob(".trash-*"))
    assert store.versions.served().deleting == ()
