"""The loop that keeps a service's folder in step: what it says while it can't, and what a worker makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.artifact import verify
from contract.loop import Loop
from contract.model_store import ModelStore
from contract.selection import Selection
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from harness.ports import free_port
from harness.s3_server import SECRET
from harness.until import until
from storage import follower
from storage.follower import ModelFolder, model_folder
from storage.mirror import WHOLE, Mirror
from tests.model_manager_rig import Loaded
from tests.stand_ins import as_any
from tests.store_rig import add_version, damage
from training.artifact.opened import open_store
from training.artifact.store import Store
from worker.pipeline.model_manager import ModelManager

SOON_S = 30.0


@pytest.fixture
def store(bucket_settings: SharedSettings) -> Store:
    return open_store(bucket_settings, "tiny")


@pytest.fixture
def folder(bucket_settings: SharedSettings) -> Iterator[ModelFolder]:
    """A worker's, which is kept in step."""
    settings = bucket_settings.model_copy(update={"models_follow_s": 0.05})
    folder = model_folder(settings, "worker", WHOLE)
    folder.start()
    yield folder
    folder.stop()


def manager_of(folder: ModelFolder, selection: str) -> ModelManager:
    """As a worker makes it, but that nothing is computed."""
    return ModelManager(
        store=ModelStore(folder.folder),
        selection=Selection.parse(selection),
        load=lambda path: as_any(Loaded(verify(path))),
        on_loaded=lambda *_: None,
        on_unloaded=lambda _: None,
        is_wanted=lambda _: False,
        reload_s=0.05,
        device="cpu",
    )


@pytest.mark.parametrize("selection", ["tiny", "*"])
def test_a_worker_serves_what_is_published_and_what_is_rolled_back_to(
    store: Store, folder: ModelFolder, tmp_path: Path, selection: str
) -> None:
    manager = manager_of(folder, selection)
    manager.start()
    for number in (1, 2):
        version = add_version(store, tmp_path, number)
        until(lambda: [each.version for each in manager.loaded] == [version], SOON_S)  # noqa: B023  at once

    before = store.rollback()
    until(lambda: [each.version for each in manager.loaded] == [before], SOON_S)
    assert folder.complaint is None
    manager.stop()


def test_what_is_wrong_is_said_until_it_is_right_again(store: Store, folder: ModelFolder, tmp_path: Path) -> None:
    good, bad = add_version(store, tmp_path, 1), add_version(store, tmp_path, 2, current=False)
    reader = ModelStore(folder.folder)
    until(lambda: reader.published() and reader.current("tiny") == good, SOON_S)
    assert folder.complaint is None

    served = store.versions.served()
    damage(store, bad)
    assert store.mirror
    store.mirror.bucket.write("tiny/CURRENT", served.activated(bad).content(), store.mirror.served("tiny")[1])
    until(lambda: folder.complaint, SOON_S)
    assert "sha256" in str(folder.complaint)
    assert reader.current("tiny") == good

    store.rollback()
    until(lambda: folder.complaint is None, SOON_S)


def test_a_bucket_that_is_away_is_said_and_logged_without_a_secret(
    bucket_settings: SharedSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.DEBUG):
        lost = model_folder(bucket_settings, "worker", WHOLE)
        lost.start()
        until(lambda: lost.complaint, SOON_S)
        until(lambda: caplog.messages, SOON_S)
        lost.stop()

    assert str(lost.complaint).startswith(f"{bucket_settings.models_dir}: ")
    assert "Connection refused" in str(lost.complaint)
    assert SECRET not in caplog.text + str(lost.complaint)


def test_a_bucket_that_says_nothing_while_it_is_asked_is_said_to_be_silent(
    bucket_settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "SILENT_S", -1.0)
    heard = list[str | None]()

    def note(folder: ModelFolder) -> Callable[..., list[str]]:
        def sync(*_: object) -> list[str]:
            heard.append(folder.complaint)
            return []

        return sync

    folder = model_folder(bucket_settings, "worker", WHOLE)
    monkeypatch.setattr(Mirror, "sync", note(folder))
    assert folder.follower
    folder.follower.step()

    assert "has not answered for" in str(heard[0])
    assert folder.complaint is None


def test_a_fetch_ends_when_the_process_does(bucket_settings: SharedSettings, store: Store, tmp_path: Path) -> None:
    version = add_version(store, tmp_path, 1)
    made = list[Loop]()

    def stopping(name: str, step: Callable[[], object], *, pause_s: float) -> Loop:
        made.append(loop := Loop(name, step, pause_s=pause_s))
        return loop

    folder = model_folder(bucket_settings, "worker", WHOLE, make_loop=stopping)
    made[0].stop()
    assert folder.follower
    with pytest.raises(follower.Stopping):
        folder.follower.step()

    assert not (folder.folder / "tiny" / version).exists()


def test_models_in_a_folder_are_read_there_and_nothing_follows_them(tmp_path: Path) -> None:
    folder = model_folder(SharedSettings(models_dir=tmp_path), "worker", WHOLE)

    assert (folder.folder, folder.loops, folder.complaint) == (tmp_path, [], None)


def test_each_service_and_each_address_has_a_folder_of_its_own(tmp_path: Path) -> None:
    settings = SharedSettings(models_cache_dir=tmp_path)
    urls = [StoreUrl("s3", "bucket", "a"), StoreUrl("s3", "bucket", "b"), StoreUrl("gs", "bucket", "a")]

    folders = {follower.cache_folder(settings, url, service) for url in urls for service in ("api", "worker")}

    assert len(folders) == 6
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
