from __future__ import annotations

import errno
import os
import stat
import time
from functools import partial
from pathlib import Path

import pytest

from contract import durable
from contract.errors import BadArtifact
from contract.model_store import CURRENT
from harness.tiny_artifact import write_tiny_artifact
from tests.store_rig import Add, add_version
from training.artifact.store import ABANDONED_S, STAGING, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models", "tiny")


@pytest.fixture
def add(store: Store, tmp_path: Path) -> Add:
    return partial(add_version, store, tmp_path)


def test_workers_under_other_users_can_read_a_version(store: Store, add: Add) -> None:
    folder = store.folder / add(1)

    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_activating_the_current_version_again_writes_current_anew_and_no_history(store: Store, add: Add) -> None:
    first, second = add(1), add(2)
    before = (store.folder / CURRENT).stat().st_ino  # two times of one tick of the clock are the same
    store.activate(second)
    assert (store.folder / CURRENT).stat().st_ino != before
    assert store.rollback() == first


def test_a_full_disk_leaves_no_file_behind(store: Store, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = add(1), add(2, current=False)

    def full(temporary: Path, _: Path) -> None:
        raise OSError(errno.ENOSPC, f"No space left on device: {temporary}")

    monkeypatch.setattr(durable, "replace", full)
    before = sorted(path.name for path in store.folder.iterdir())
    with pytest.raises(OSError, match="No space left"):
        store.activate(second)
    assert (store.reader.current("tiny"), sorted(path.name for path in store.folder.iterdir())) == (first, before)


def test_only_a_version_of_this_model_under_its_own_name_is_activated(store: Store, add: Add) -> None:
    good = add(1)
    write_tiny_artifact(store.root, name="other", version="20260101t000002-abcdef")
    (store.folder / "renamed").symlink_to(good)

    for version in ("../other/20260101t000002-abcdef", "renamed"):
        with pytest.raises(BadArtifact, match=" is "):
            store.activate(version)

    assert store.reader.current("tiny") == good


def test_rollback_works_when_a_crash_came_before_the_history_was_written(store: Store, add: Add) -> None:
    first = add(1)
    history = (store.folder / "HISTORY").read_text()
    add(2)
    (store.folder / "HISTORY").write_text(history)

    assert store.rollback() == first


def test_prune_sweeps_what_crashes_left_but_not_what_is_being_written(store: Store, add: Add) -> None:
    add(1)
    for name in (".trash-20250101t000000-abcdef", ".staging-old", ".staging-new"):
        (store.folder / name).mkdir()
    past = time.time() - ABANDONED_S[STAGING] - 1
    os.utime(store.folder / ".staging-old", (past, past))

    store.prune(keep=1)

    assert [path.name for path in store.folder.glob(".[st]*-*")] == [".staging-new"]


def test_a_staging_folder_that_goes_away_meanwhile_does_not_disturb_a_prune(
    store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(1)
    listed = Path.glob

    def glob(folder: Path, pattern: str) -> list[Path]:
        """What was there a moment ago, when another writer still had its folder."""
        return [*listed(folder, pattern), *([folder / f"{STAGING}gone"] if pattern.startswith(STAGING) else [])]

    monkeypatch.setattr(Path, "glob", glob)

    assert store.prune(keep=1) == []


def test_a_version_can_be_pruned_though_trash_of_its_name_could_not_be_deleted(store: Store, add: Add) -> None:
    first = add(1)
    add(2)
    (store.folder / f".trash-{first}").mkdir()
    (store.folder / f".trash-{first}" / "held").write_text("by another program")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        assert store.prune(keep=1) == [first]

    assert store.reader.versions("tiny") == [store.reader.current("tiny")]
